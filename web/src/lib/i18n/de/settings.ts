import type { settings as English } from '../en/settings';

export const settings: typeof English = {
  saved: 'Einstellungen gespeichert',
  nextStart: 'Zum Anwenden der Änderungen neu starten.',
  downloadFailed: 'Herunterladen fehlgeschlagen',
  mayRename: 'Du darfst diesen Server umbenennen. Image, Grenzen und Ports brauchen die Berechtigung „Konfigurieren“. Ein Admin kann mehr erlauben.',
  readOnly: 'Du darfst das sehen, aber nicht ändern. Ein Admin kann mehr erlauben.',
  general: 'Allgemein',
  generalText: 'Name und Image.',
  imageHint: 'Container-Image. Ein neues wird beim nächsten Start geladen.',
  redownloadTitle: 'Neueste Fassung dieses Images herunterladen',
  stopFirst: 'Stoppe zuerst den Server',
  redownload: 'Neu herunterladen',
  limits: 'Grenzen',
  limitsText: 'Was dieser Server auf seinem Rechner belegen darf. Gilt ab dem nächsten Start.',
  disk: 'Speicherplatz, MB',
  emptyNoLimit: 'Leer lassen für keine Grenze.',
  swap: 'Swap über den Arbeitsspeicher hinaus, MB',
  swapHint: '0: keiner. -1: keine Grenze.',
  diskPriority: 'Datenträger-Priorität',
  diskPriorityHint: '10 bis 1000; üblich ist 500.',
  processes: 'Prozesse und Threads',
  processesHint: '16 bis 16.384; üblich sind 512.',
  network: 'Netzwerk',
  networkText: 'Die Ports, über die sich Spieler verbinden, und was das Spiel erreicht.',
  blockLan: 'Lokales Netzwerk sperren',
  blockLanHint:
    'Das Spiel erreicht nur das Internet: kein anderes Gerät in deinem Netzwerk, nicht diesen Rechner und kein anderes Spiel darauf. Spieler können sich weiterhin verbinden. Gilt ab dem nächsten Start.',
  lanNotBlocked: 'Das lokale Netzwerk ist nicht gesperrt',
  lanNotBlockedText: (cause: string) => `Die Sperre ist eingeschaltet, aber dieses Spiel kann das lokale Netzwerk erreichen. ${cause}`,
  lanUnavailable: 'Auf diesem Node nicht verfügbar',
  notSaved: 'Einstellungen nicht gespeichert',
  rules: {
    memory: 'Mindestens 16 MB, oder leer für keine Grenze.',
    swap: '0 für keinen, -1 für keine Grenze, sonst Megabyte.',
    disk: 'Megabyte, oder leer für keine Grenze.',
    io: 'Zwischen 10 und 1000.',
    cpu: 'Prozent eines Kerns, oder leer für keine Grenze.',
    processes: 'Zwischen 16 und 16.384.'
  }
};
