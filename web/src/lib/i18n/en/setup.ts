export const setup = {
  page: 'Set up',
  welcome: 'Welcome',
  text: 'Create your account to take over this panel. After that, your first game server is three clicks away: new server, a game, create and start.',
  notCreated: 'Account not created',
  fromLink: 'Setup token taken from the link',
  token: 'Setup token',
  tokenHint: 'Printed when the panel started; also in the file “setup-token” in its data folder.',
  tokenRequired: 'Setup token is required.',
  tokenWrong: 'This token is not valid.',
  passwordHint: 'At least 10 characters. Three words make a good one.',
  create: 'Create account',
  alsoAt: 'In your network the panel is also at',
  easier: ': easier to remember.'
};
