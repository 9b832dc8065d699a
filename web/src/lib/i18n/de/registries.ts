import type { registries as English } from '../en/registries';

export const registries: typeof English = {
  title: 'Anmeldungen an Registrys',
  about: 'Für private Images. Ein Node bekommt eine Anmeldung erst, bevor er von dieser Registry lädt, und behält sie nur im Arbeitsspeicher.',
  none: 'Keine Anmeldungen. Öffentliche Images brauchen keine.',
  loading: 'Anmeldungen werden geladen',
  notLoaded: 'Anmeldungen nicht geladen',
  add: 'Anmeldung hinzufügen',
  addText: 'Sie ersetzt eine Anmeldung an derselben Registry. Das Geheimnis wird nie wieder angezeigt.',
  host: 'Registry',
  hostHint: 'Etwa ghcr.io oder nas:5000; docker.io für Docker Hub.',
  hostMissing: 'Gib eine Registry ein.',
  username: 'Benutzername',
  usernameMissing: 'Gib einen Benutzernamen ein.',
  secret: 'Passwort oder Token',
  secretMissing: 'Gib ein Passwort oder Token ein.',
  save: 'Anmeldung speichern',
  notSaved: 'Anmeldung nicht gespeichert',
  saved: 'Anmeldung gespeichert',
  remove: 'Entfernen',
  removeOf: (host) => `Anmeldung an ${host} entfernen`,
  removeTitle: (host) => `Anmeldung an ${host} entfernen?`,
  removeText: 'Private Images von dort lassen sich nicht mehr laden. Server behalten die Images, die ihre Nodes haben.'
};
