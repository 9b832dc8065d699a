import { n } from './numbers';

export const nav = {
  settings: 'Settings',
  main: 'Main',
  brand: 'Ctrl-Alt-Play, all servers',
  servers: 'Servers',
  newServer: 'New server',
  signOut: 'Sign out',
  stillSignedIn: 'You are still signed in',
  attention: 'needs attention',
  allWell: 'all well',
  offline: 'offline',
  nodesOffline: (count: number) => n(count, '# node offline', '# nodes offline'),
  findings: (count: number) => n(count, '# finding', '# findings'),
  disconnected: 'not connected',
  admin: 'admin',
  user: 'user',
  breadcrumb: 'Breadcrumb',
  accountMenu: 'Account menu',
  signedInAs: 'Signed in as',
  account: 'Account',
  nodes: 'Nodes',
  templates: 'Templates',
  users: 'Users',
  skip: 'Skip to content'
};
