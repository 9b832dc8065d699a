import type { nav as English } from '../en/nav';

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
  disconnected: 'nicht verbunden',
  admin: 'Admin',
  user: 'Benutzer',
  breadcrumb: 'Pfad',
  accountMenu: 'Kontomenü',
  signedInAs: 'Angemeldet als',
  account: 'Konto',
  nodes: 'Nodes',
  users: 'Benutzer',
  skip: 'Zum Inhalt springen'
};
