import type { move as English } from '../en/move';

export const move: typeof English = {
  title: 'Auf eine andere Node verschieben',
  text: (node) => `Nimmt Welten und Einstellungen mit. Die Dateien auf ${node} bleiben, bis alles angekommen ist.`,
  ask: 'Verschieben …',
  progress: (node, step) => `Nach ${node}: ${step}`,
  cancelling: 'Abbrechen',
  cancel: 'Verschieben abbrechen',
  arrived: (node) => `Verschoben nach ${node}`,
  failedTo: (node) => `Verschieben nach ${node} fehlgeschlagen`,
  dismissing: 'Ausblenden',
  stuck: (node, why) => `Jetzt nicht möglich. ${node}: ${why}.`,
  titleOf: (name) => `${name} verschieben`,
  to: 'Nach',
  nowhere: 'Keine Node ist verfügbar',
  stops: 'Das Spiel wird gestoppt und nach dem Verschieben wieder gestartet.',
  staysStopped: 'Der Server bleibt gestoppt.',
  copied: (size) => size ? `${size} werden kopiert, geprüft und erst dann hier gelöscht.` : 'Alle Dateien werden kopiert, geprüft und erst dann hier gelöscht.',
  address: 'Spieler erreichen ihn unter der Adresse der anderen Node; seine Ports bleiben gleich.',
  canCancel: 'Du kannst abbrechen, bis die Kopie fertig ist; dann ändert sich nichts.',
  notStarted: 'Verschieben nicht gestartet',
  moveTo: (node) => `Nach ${node} verschieben`,
  move: 'Verschieben',
  moving: (node, step) => `Wird verschoben nach ${node}: ${step}`,
  done: 'Server verschoben',
  failed: 'Verschieben fehlgeschlagen',
  step: {
    checking: 'andere Node wird geprüft',
    fetching: 'Image wird dort heruntergeladen',
    stopping: 'Spiel wird gestoppt',
    copying: 'Daten werden kopiert',
    verifying: 'Kopie wird geprüft',
    switching: 'Umschalten',
    starting: 'wird dort gestartet',
    removing: 'wird von der alten Node entfernt',
    failed: 'fehlgeschlagen',
    done: 'fertig'
  },
  why: {
    offline: 'offline',
    unsupported: 'ihr Agent kann nicht verschieben',
    docker: 'Docker antwortet nicht',
    draining: 'für neue Server pausiert'
  },
  left: (time) => `noch ${time}`
};
