/** Why a game ended, and what helps. */
export const causes = {
  looking: 'Reading the last lines …',
  titles: {
    eula: 'The game’s license was not accepted',
    memory: 'Out of memory',
    java: 'Wrong Java version',
    port: 'Port in use',
    architecture: 'Made for another CPU',
    disk: 'The disk is full',
    imageMissing: 'No such image',
    imageDenied: 'The image needs a login, or does not exist',
    registryLimit: 'The registry allows no more downloads for now',
    registryAway: 'The registry is not reachable',
    file: 'A file is missing',
    permission: 'Permission denied'
  },
  helps: {
    eula: 'Accept it, then start again.',
    memory: 'Give it more memory.',
    java: 'Choose an image with the Java version that the game needs.',
    port: 'Another program has this port. End it, or choose another port.',
    architecture: 'Choose an image or program for this machine’s CPU.',
    disk: 'Free some space on the node, then start again.',
    imageMissing: 'Check the image’s name and version.',
    imageDenied: 'Check the image’s name. Private images cannot be downloaded without a login.',
    registryLimit: 'Wait a while, then try again.',
    registryAway: 'Check this machine’s internet connection, then try again.',
    file: 'Check the startup command, and that the file is in the server’s folder.',
    permission: 'The game may not use this file. Check who owns it, and whether it may be executed.'
  },
  javaNeeded: (version: string) => `Java ${version}`,
  moreMemory: (size: string) => `Give it ${size}`,
  acceptEula: 'Accept and start',
  acceptWhat: 'I accept the',
  eulaFile: 'Open eula.txt in the server’s folder, set eula=true, then start again.',
  toSettings: 'Open settings',
  toStartup: 'Open startup',
  dontRestart: 'Don’t restart'
};
