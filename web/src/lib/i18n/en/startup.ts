export const startup = {
  tab: 'Startup',
  saved: 'Startup saved',
  loading: 'Loading the startup settings',
  noPermission: 'You may not view or change how this server starts. An admin can grant it.',
  nothing: 'There is nothing here for you to change. Startup is reserved for those who may configure this server.',
  partly: 'These are the settings you may change. The rest needs the permission Configure.',
  gameText: 'Settings of this game.',
  title: 'Start',
  text: 'How the game is started inside its container.',
  commandHint: 'Leave empty for the image’s own command. {{NAME}} stands for a variable’s value.',
  commandPlaceholder: 'The image’s own command',
  otherVariables: 'Other variables',
  notSaved: 'Startup not saved'
};
