import type { ports as English } from '../en/ports';

export const ports: typeof English = {
  title: 'Ports',
  external: 'Spieler verbinden sich mit',
  internal: 'Im Container',
  protocol: 'Protokoll',
  externalOf: (at) => `Port ${at}, für Spieler`,
  internalOf: (at) => `Port ${at}, im Container`,
  protocolOf: (at) => `Port ${at}, Protokoll`,
  remove: (at) => `Port ${at} entfernen`,
  add: 'Port hinzufügen',
  nobody: 'Keine Ports: Über das Netz kann niemand beitreten. Füge den Port hinzu, auf dem das Spiel lauscht; Bots und Ähnliches brauchen keinen.',
  first: 'Der erste Port steht in der Adresse zum Kopieren.',
  range: 'Zwischen 1 und 65535.',
  twice: (port, protocol) => `${port} ${protocol} kommt zweimal vor.`
};
