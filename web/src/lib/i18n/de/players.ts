import type { players as english } from '../en/players';

export const players: typeof english = {
  title: 'Spieler',
  count: (online, max) => (max === null ? `${online}` : `${online} von ${max}`),
  asked: (when) => `Gefragt ${when}`,
  loading: 'Spieler werden geladen',
  notLoaded: 'Spieler nicht geladen',
  nobody: 'Niemand spielt.',
  stopped: 'Der Server läuft nicht. Starte ihn, um zu sehen, wer spielt.',
  silent: 'Das Spiel antwortet nicht.',
  unasked: 'Dieses Spiel sagt nicht, wer spielt.',
  unaskedText: 'Seine Vorlage nennt keinen Weg, es zu fragen. Vielleicht hat die Konsole einen Befehl dafür.',
  unnamed: (count) => (count === 1 ? 'Noch ein Spieler, den das Spiel nicht nennt.' : `Noch ${count} Spieler, die das Spiel nicht nennt.`),
  since: (time) => `seit ${time}`,
  startFirst: 'Der Server muss laufen.',
  actions: {
    kick: 'Hinauswerfen',
    ban: 'Sperren',
    unban: 'Entsperren',
    op: 'Zum Operator machen',
    deop: 'Operatorrechte entziehen',
    whitelist_add: 'Auf die Whitelist setzen',
    whitelist_remove: 'Von der Whitelist nehmen',
    message: 'Nachricht'
  },
  actionOf: {
    kick: (name) => `${name} hinauswerfen`,
    ban: (name) => `${name} sperren`,
    unban: (name) => `${name} entsperren`,
    op: (name) => `${name} zum Operator machen`,
    deop: (name) => `${name} die Operatorrechte entziehen`,
    whitelist_add: (name) => `${name} auf die Whitelist setzen`,
    whitelist_remove: (name) => `${name} von der Whitelist nehmen`,
    message: (name) => `Nachricht an ${name}`
  },
  sure: {
    kick: 'Der Spieler wird hinausgeworfen und darf wieder beitreten.',
    ban: 'Der Spieler wird hinausgeworfen und darf erst wieder beitreten, wenn er entsperrt ist.',
    op: 'Operatoren dürfen im Spiel alle Befehle benutzen.'
  },
  typed: (what) => `An das Spiel gesendet: ${what}`,
  byName: 'Nach Namen',
  byNameText: 'Für Spieler, die nicht online sind. Was das Spiel antwortet, zeigt die Konsole.',
  name: 'Name des Spielers',
  nameNeeded: 'Der Name des Spielers ist erforderlich.',
  what: 'Aktion',
  send: 'Senden',
  message: 'Nachricht an alle Spieler',
  say: 'Nachricht senden',
  said: 'Nachricht gesendet',
  notSaid: 'Nachricht nicht gesendet'
};
