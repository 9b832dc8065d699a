/** The order of a folder's entries: "map2" before "map10", small and capital letters alike. */
import type { FileEntry } from './types';

const DIGITS = 20;
const keys = new Map<string, string>();
/** What is kept of names that were compared, so that folders one has left do not stay for ever. */
const KEPT = 250_000;

/** Two names are in natural order when their keys are in the order of their characters. */
export function sortKey(name: string): string {
  const known = keys.get(name);
  if (known !== undefined) return known;
  const key = name
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase()
    .replace(/\d+/g, (digits) => {
      const plain = digits.replace(/^0+(?=\d)/, '');
      return plain.padStart(DIGITS, '0');
    });
  if (keys.size >= KEPT) keys.clear();
  keys.set(name, key);
  return key;
}

export function compareNames(a: string, b: string): number {
  const [left, right] = [sortKey(a), sortKey(b)];
  if (left !== right) return left < right ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

export type SortBy = 'name' | 'size' | 'modified';
export interface Order {
  by: SortBy;
  down: boolean;
}

/** Folders first, whatever the order. */
export function sorted(entries: readonly FileEntry[], { by, down }: Order): FileEntry[] {
  const sign = down ? -1 : 1;
  const values = {
    name: (a: FileEntry, b: FileEntry) => sign * compareNames(a.name, b.name),
    // A folder's own size says nothing.
    size: (a: FileEntry, b: FileEntry) => (a.kind === 'directory' ? 0 : sign * (a.size - b.size)) || compareNames(a.name, b.name),
    modified: (a: FileEntry, b: FileEntry) => sign * (a.modified < b.modified ? -1 : a.modified > b.modified ? 1 : 0) || compareNames(a.name, b.name)
  };
  const rank = (entry: FileEntry) => (entry.kind === 'directory' ? 0 : 1);
  return [...entries].sort((a, b) => rank(a) - rank(b) || values[by](a, b));
}

/** Those whose names hold every typed word. */
export function filtered(entries: FileEntry[], text: string): FileEntry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return entries;
  return entries.filter(({ name }) => {
    const low = name.toLowerCase();
    return words.every((word) => low.includes(word));
  });
}
