import { i18n } from '../i18n/i18n.svelte';

/** Making one is slow, and a list that is scrolled draws many. */
const formats = new Map<string, Intl.DateTimeFormat>();

/** "3 Jun 2026, 14:05". */
export function when(time: string): string {
  let format = formats.get(i18n.locale);
  if (!format) formats.set(i18n.locale, (format = new Intl.DateTimeFormat(i18n.locale, { dateStyle: 'medium', timeStyle: 'short' })));
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? '–' : format.format(date);
}
