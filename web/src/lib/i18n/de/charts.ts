import type { charts as English } from '../en/charts';

export const charts: typeof English = {
  none: 'Noch keine Daten',
  usage: 'Auslastung der letzten 10 Minuten',
  cpu: 'CPU',
  of: (cores) => `von ${cores} %`,
  cpuOfCore: 'CPU, Prozent eines Kerns',
  memory: 'Arbeitsspeicher',
  network: 'Netzwerk',
  received: 'Empfangen',
  sent: 'Gesendet',
  disk: 'Speicherplatz'
};
