import type { doctor as English } from '../en/doctor';
import { n, number } from './numbers';

export const doctor: typeof English = {
  notCopied: 'Bericht konnte nicht kopiert werden',
  printed: 'Auf dem Rechner gibt ctrl-alt-play doctor ihn aus.',
  title: 'Diagnose',
  about: 'Sucht nach Problemen, die das Spielen verhindern, und sagt, was hilft. Schreibt 8 MB auf den Datenträger, um sein Tempo zu messen.',
  copy: 'Als Text kopieren',
  checking: 'Wird geprüft …',
  check: 'Jetzt prüfen',
  failed: 'Diagnose fehlgeschlagen',
  notLoaded: 'Letzte Diagnose konnte nicht geladen werden',
  loading: 'Letzte Diagnose wird geladen',
  since: (time) => `Seit ${time}`,
  gone: (what) => `Behoben: ${what}`,
  findings: 'Befunde',
  fine: (count) => `${number(count)} in Ordnung`,
  never: 'Noch nicht geprüft.',
  alsoThere: 'auf dem Rechner macht dasselbe, auch wenn das Panel nicht läuft.',
  new: 'neu',
  levels: {
    problem: 'Problem',
    warning: 'Warnung',
    note: 'Hinweis',
    ok: 'In Ordnung'
  },
  allWell: 'Keine Probleme gefunden',
  problems: (count) => n(count, '# Problem', '# Probleme'),
  warnings: (count) => n(count, '# Warnung', '# Warnungen'),
  notes: (count) => n(count, '# Hinweis', '# Hinweise'),
  none: 'nichts'
};
