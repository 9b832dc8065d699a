import type { run as English } from '../en/run';

export const run: typeof English = {
  title: 'Stoppen und Absturz',
  text: 'Wie das Spiel beendet wird, wann es als laufend gilt und was nach einem Absturz geschieht.',
  stop: 'So stoppt es',
  byCommand: 'Mit einem Konsolenbefehl',
  bySignal: 'Mit einem Signal',
  command: 'Stopp-Befehl',
  commandHint: 'Wird in die Konsole eingegeben, zum Beispiel stop oder quit.',
  signal: 'Stopp-Signal',
  signalHint: 'Die meisten Programme speichern und enden bei SIGTERM oder SIGINT.',
  stopRequired: 'Gib einen Befehl ein.',
  seconds: 'Sekunden zum Stoppen',
  secondsHint: 'Danach wird das Stoppen erzwungen.',
  mode: 'Der Startbefehl wird',
  modeHint: 'Images, die für Eggs gemacht sind, lesen die Variable STARTUP.',
  modes: {
    shell: 'von einer Shell ausgeführt',
    variable: 'als STARTUP übergeben',
    image_own: 'nicht benutzt: der des Images'
  },
  ready: 'Bereit-Zeile',
  readyHint: 'Teil der Konsolenzeile, ab der man beitreten kann; mit regex: davor ein Muster. Leer: läuft, sobald der Container läuft.',
  readyPlaceholder: 'Done',
  restart: 'Nach einem Absturz neu starten',
  restartHint: 'Bis zu dreimal, mit längeren Pausen. Aus: Er bleibt gestoppt.',
  diskLimit: 'Stoppen, wenn der Speicherplatz überschritten ist',
  diskLimitHint: 'Aus: Es gibt eine Warnung, und Uploads werden abgelehnt, bis wieder Platz ist.'
};
