/** Paths within a server's folder, which is `/`. */

const NAME_BYTES = 255;
const encoder = new TextEncoder();
/** A byte that is not UTF-8, as the API writes it: U+EF00 + the byte. */
const RAW_BYTE = /[\uEF80-\uEFFF]/g;
// Characters that would be drawn as nothing or break the line, and those that turn the reading direction.
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u001F\u007F-\u009F\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/g;

export const join = (folder: string, name: string): string => (folder === '/' ? `/${name}` : `${folder}/${name}`);

export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

/** What stands in the address, as a path: `world/` and `/world` are the same. */
export function normal(path: string | null): string {
  const parts = (path ?? '').split('/').filter((part) => part !== '' && part !== '.' && part !== '..');
  return `/${parts.join('/')}`;
}

/** Whether a path is a folder or lies within it. */
export const within = (path: string, folder: string): boolean => folder === '/' || path === folder || path.startsWith(`${folder}/`);

/** The folders from the server's to this one. */
export function crumbs(path: string): { name: string; path: string }[] {
  const parts = normal(path).split('/').filter(Boolean);
  return parts.map((name, at) => ({ name, path: `/${parts.slice(0, at + 1).join('/')}` }));
}

/** A name as people read it: bytes that are not UTF-8 as `\xFF`, control characters as `\n` or `\u{1B}`. */
export function shown(name: string): string {
  return name
    .replace(RAW_BYTE, (char) => `\\x${(char.charCodeAt(0) - 0xef00).toString(16).toUpperCase()}`)
    .replace(UNSEEN, (char) => {
      const known = ({ '\n': '\\n', '\r': '\\r', '\t': '\\t' } as Record<string, string>)[char];
      return known ?? `\\u{${char.charCodeAt(0).toString(16).toUpperCase()}}`;
    });
}

/** How many bytes a name takes on the disk. */
export function nameBytes(name: string): number {
  const raw = name.match(RAW_BYTE)?.length ?? 0;
  return encoder.encode(name.replace(RAW_BYTE, '')).length + raw;
}

export type NameProblem = 'empty' | 'dots' | 'slash' | 'long' | 'taken';

/** Why something cannot be called so; null where it can. */
export function nameProblem(name: string, taken: (name: string) => boolean = () => false): NameProblem | null {
  if (name.trim() === '') return 'empty';
  if (name === '.' || name === '..') return 'dots';
  if (name.includes('/') || name.includes('\0')) return 'slash';
  if (nameBytes(name) > NAME_BYTES) return 'long';
  return taken(name) ? 'taken' : null;
}

/** Endings of two parts that are one. */
const DOUBLE = /\.tar\.[a-z0-9]{2,4}$/i;

/** "notes" and ".txt"; a leading dot begins no ending. */
export function splitEnding(name: string): [stem: string, ending: string] {
  const at = DOUBLE.exec(name)?.index ?? name.lastIndexOf('.');
  return at > 0 ? [name.slice(0, at), name.slice(at)] : [name, ''];
}

/** A name that nobody has: "notes (2).txt". */
export function freeName(name: string, taken: (name: string) => boolean): string {
  if (!taken(name)) return name;
  const [stem, ending] = splitEnding(name);
  for (let count = 2; ; count += 1) {
    const next = `${stem} (${count})${ending}`;
    if (!taken(next)) return next;
  }
}

/** The part of a name after its last dot, in small letters. */
export const endingOf = (name: string): string => (splitEnding(name)[1].split('.').at(-1) ?? '').toLowerCase();

/** Archives that the panel unpacks. */
const ARCHIVES = /\.(zip|jar|mrpack|mcpack|tar|tgz|tbz2|txz|tzst|tar\.(gz|zst|bz2|xz)|7z|rar)$/i;
export const isArchive = (name: string): boolean => ARCHIVES.test(name);
