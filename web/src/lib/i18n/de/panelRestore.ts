import type { panelRestore as English } from '../en/panelRestore';

export const panelRestore: typeof English = {
  open: 'Aus einem Backup wiederherstellen',
  back: 'Stattdessen ein Konto erstellen',
  title: 'Aus einem Backup wiederherstellen',
  about: 'Dieses neue Panel wird zu dem eines Panel-Backups: mit seinen Konten, Einstellungen und Nodes. Alles, was hier gefragt ist, steht im Notfallblatt.',
  kind: 'Wo die Backups liegen',
  folderHint: 'Auf dieser Maschine: der Ordner des Repositorys selbst, oder der, in dem es liegt.',
  password: 'Passwort des Backup-Repositorys',
  passwordHint: 'Steht im Notfallblatt.',
  look: 'Backups des Panels zeigen',
  looking: 'Das Repository wird geöffnet',
  notOpened: 'Die Backups konnten nicht geöffnet werden',
  serverKey: 'Der Server hat diesen Schlüssel gezeigt. Vergleiche ihn mit dem des Servers, trage ihn oben ein und versuche es noch einmal:',
  none: 'An diesem Ort gibt es kein Backup des Panels, höchstens welche von Servern.',
  choose: 'Backup des Panels',
  made: (when, host, size) => `${when}, ${host}, ${size}`,
  servers: 'Auch die Dateien der Server dieser Maschine wiederherstellen',
  serversText: 'Jeweils aus dem neuesten Backup am selben Ort. Andere Nodes behalten ihre.',
  two: 'Läuft das alte Panel noch, halte es vorher an: Zwei Panels mit einer Identität würden sich Nodes und Backups teilen.',
  start: 'Wiederherstellen',
  notRestored: 'Es wurde nichts wiederhergestellt',
  running: 'Das Panel wird wiederhergestellt',
  runningServer: (name, number, count) => `${name} wird wiederhergestellt (${number} von ${count})`,
  starting: 'Das wiederhergestellte Panel startet',
  missing: 'Nicht wiederhergestellt:'
};
