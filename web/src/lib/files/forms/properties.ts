/** Java's properties files (`key=value`): values are changed in place, all else stays as it is. */

interface Entry {
  key: string;
  value: string;
  /** Which lines it takes, the last not included. */
  from: number;
  to: number;
}

const ESCAPES: Record<string, string> = { t: '\t', n: '\n', r: '\r', f: '\f' };

function unescape(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|[^])/g, (_all, mark: string) => {
    if (mark.length === 5) return String.fromCharCode(Number.parseInt(mark.slice(1), 16));
    return ESCAPES[mark] ?? mark;
  });
}

/** Characters past ASCII as \uXXXX, which every version of a game reads whatever the file's encoding. */
function escape(text: string, key: boolean): string {
  const plain = text
    .replace(/\\/g, '\\\\')
    .replace(/\t/g, '\\t')
    .replace(/\r/g, '\\r')
    .replace(/\n/g, '\\n')
    .replace(/\f/g, '\\f')
    .replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`)
    .replace(/^ /, '\\ ');
  return key ? plain.replace(/[ :=]/g, '\\$&').replace(/\\\\ /g, '\\ ').replace(/^[#!]/, '\\$&') : plain;
}

/** Whether a line goes on in the next one: it ends in an odd number of backslashes. */
const goesOn = (line: string): boolean => (/\\*$/.exec(line)?.[0].length ?? 0) % 2 === 1;

export class Properties {
  readonly #lines: string[];
  #entries: Entry[];

  constructor(text: string) {
    this.#lines = text.split('\n');
    this.#entries = this.#read();
  }

  #read(): Entry[] {
    const found: Entry[] = [];
    for (let at = 0; at < this.#lines.length; at += 1) {
      let line = (this.#lines[at] ?? '').replace(/^[ \t\f]+/, '').replace(/\r$/, '');
      if (line === '' || line.startsWith('#') || line.startsWith('!')) continue;
      const from = at;
      while (goesOn(line) && at + 1 < this.#lines.length) {
        at += 1;
        line = line.slice(0, -1) + (this.#lines[at] ?? '').replace(/^[ \t\f]+/, '').replace(/\r$/, '');
      }
      const [, key = '', value = ''] = /^((?:\\[^]|[^\\:= \t\f])*)(?:[ \t\f]*[:=][ \t\f]*|[ \t\f]+|$)([^]*)$/.exec(line) ?? [];
      found.push({ key: unescape(key), value: unescape(value), from, to: at + 1 });
    }
    return found;
  }

  get keys(): string[] {
    return [...new Set(this.#entries.map(({ key }) => key))];
  }

  /** The last one counts, as Java reads it. */
  get(key: string): string | null {
    return this.#entries.findLast((entry) => entry.key === key)?.value ?? null;
  }

  set(key: string, value: string) {
    if (this.get(key) === value) return;
    const line = `${escape(key, true)}=${escape(value, false)}`;
    const known = this.#entries.findLast((entry) => entry.key === key);
    if (known) {
      const carriage = this.#lines[known.to - 1]?.endsWith('\r') ? '\r' : '';
      this.#lines.splice(known.from, known.to - known.from, line + carriage);
    } else {
      // Before the empty end of a file whose last line is ended.
      const end = this.#lines.at(-1) === '' ? this.#lines.length - 1 : this.#lines.length;
      const carriage = this.#lines[0]?.endsWith('\r') ? '\r' : '';
      this.#lines.splice(end, 0, line + carriage);
      if (end === this.#lines.length - 1) this.#lines.push('');
    }
    this.#entries = this.#read();
  }

  get text(): string {
    return this.#lines.join('\n');
  }
}
