import type { power as English } from '../en/power';

export const power: typeof English = {
  title: 'Ein/Aus',
  start: 'Starten',
  resume: 'Fortsetzen',
  restart: 'Neu starten',
  stopping: (seconds) => seconds === null ? 'Wird gestoppt …' : `Wird gestoppt · ${seconds} s`,
  stop: 'Stoppen',
  more: 'Weitere Aktionen',
  killAsk: 'Beenden erzwingen …',
  killTitle: (name) => `Beenden von ${name} erzwingen?`,
  killText: 'Er endet sofort, ohne zu speichern: Alles seit dem letzten Speichern geht verloren. Nur benutzen, wenn Stoppen nicht hilft.',
  kill: 'Beenden erzwingen',
  of: (action, name) => `${name} ${action.toLowerCase()}`
};
