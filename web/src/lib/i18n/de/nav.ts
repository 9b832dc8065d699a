import type { nav as English } from '../en/nav';
import { n } from './numbers';

export const nav: typeof English = {
  settings: 'Einstellungen',
  main: 'Hauptmenü',
  brand: 'Ctrl-Alt-Play, alle Server',
  servers: 'Server',
  newServer: 'Neuer Server',
  signOut: 'Abmelden',
  stillSignedIn: 'Du bist noch angemeldet',
  attention: 'braucht Aufmerksamkeit',
  allWell: 'alles in Ordnung',
  offline: 'offline',
  nodesOffline: (count) => n(count, '# Node offline', '# Nodes offline'),
  findings: (count) => n(count, '# Befund', '# Befunde'),
  disconnected: 'nicht verbunden',
  admin: 'Admin',
  user: 'Benutzer',
  breadcrumb: 'Pfad',
  accountMenu: 'Kontomenü',
  signedInAs: 'Angemeldet als',
  account: 'Konto',
  nodes: 'Nodes',
  templates: 'Vorlagen',
  users: 'Benutzer',
  skip: 'Zum Inhalt springen'
};
