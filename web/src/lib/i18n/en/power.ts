export const power = {
  title: 'Power',
  start: 'Start',
  resume: 'Resume',
  restart: 'Restart',
  stopping: (seconds: number | null) => seconds === null ? 'Stopping …' : `Stopping · ${seconds} s`,
  stop: 'Stop',
  more: 'More power actions',
  killAsk: 'Force stop …',
  killTitle: (name: string) => `Force-stop ${name}?`,
  killText: 'It ends at once without saving: everything since the last save is lost. Use this only when stopping does not work.',
  kill: 'Force stop',
  of: (action: string, name: string) => `${action} ${name}`
};
