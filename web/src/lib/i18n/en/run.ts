export const run = {
  title: 'Stop and crash',
  text: 'How the game is asked to stop, when it counts as running, and what happens after a crash.',
  stop: 'How it stops',
  byCommand: 'By a console command',
  bySignal: 'By a signal',
  command: 'Stop command',
  commandHint: 'Typed into its console, for example stop or quit.',
  signal: 'Stop signal',
  signalHint: 'Most programs save and exit on SIGTERM or SIGINT.',
  stopRequired: 'Enter a command.',
  seconds: 'Seconds to stop',
  secondsHint: 'After that it is force-stopped.',
  mode: 'Startup command is',
  modeHint: 'Images made for eggs read the variable STARTUP.',
  modes: {
    shell: 'run by a shell',
    variable: 'given as STARTUP',
    image_own: 'not used: the image’s own'
  },
  ready: 'Ready line',
  readyHint: 'Part of the console line that says players can join; regex: before it for a pattern. Empty: running as soon as the container is.',
  readyPlaceholder: 'Done',
  restart: 'Restart after a crash',
  restartHint: 'Up to three times, with longer pauses. Off: it stays stopped.',
  diskLimit: 'Stop when the disk limit is passed',
  diskLimitHint: 'Off: a warning is shown, and uploads are refused until there is room.'
};
