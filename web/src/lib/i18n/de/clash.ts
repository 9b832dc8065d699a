import type { clash as English } from '../en/clash';

export const clash: typeof English = {
  title: 'Anderswo geändert',
  text: 'Jemand hat das geändert, während du es bearbeitet hast. Wähle, welcher Wert bleibt, und speichere dann.',
  mine: 'Dein Wert',
  theirs: 'Der andere Wert',
  keepMine: 'Meinen behalten',
  useTheirs: 'Den anderen nehmen',
  empty: 'Leer',
  on: 'An',
  off: 'Aus'
};
