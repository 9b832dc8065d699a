export const access = {
  title: 'Access',
  kinds: {
    view: {
      label: 'View',
      text: 'See its state, address and usage.'
    },
    console: {
      label: 'Console',
      text: 'Read the console and type commands.'
    },
    power: {
      label: 'Power',
      text: 'Start, stop, restart and force-stop it.'
    },
    players: {
      label: 'Players',
      text: 'Kick and ban players, name operators, and speak to all in the game.'
    },
    files_read: {
      label: 'See files',
      text: 'See and download its files.'
    },
    files: {
      label: 'Files',
      text: 'Create, change, upload and delete its files.'
    },
    backups: {
      label: 'Backups',
      text: 'See, make, restore and delete its backups.'
    },
    schedules: {
      label: 'Schedules',
      text: 'See, change and run its schedules. They do nothing that their author may not do.'
    },
    startup: {
      label: 'Startup',
      text: 'Rename it and change the game’s own settings. Passwords can be replaced, not read.'
    },
    configure: {
      label: 'Configure',
      text: 'Change image, limits, ports, startup command and all variables, and read the passwords among them.'
    }
  },
  notChanged: (name: string) => `Permissions of ${name} not changed`,
  about: 'Who may do what with this server. Admins may do everything on every server. Changes apply at once.',
  onlyAdmins: 'There are only admins so far.',
  addUser: 'Add a user',
  thenShare: ', then share this server with them here.',
  included: (by: string) => `Included in ${by}`,
  explain: 'What each permission allows'
};
