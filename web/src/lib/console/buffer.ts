/** What the console topic sends, as rows to draw. Pure: no DOM, no clock. */
import { plain } from './sgr';
import { t } from '../i18n/i18n.svelte';

export interface Line {
  seq: number;
  time: string;
  stream: 'stdout' | 'stderr' | 'system';
  text: string;
  truncated?: boolean;
}
/** The line that has not ended yet, as it stands now. */
export type PartialLine = Omit<Line, 'seq'>;
export interface ConsoleData {
  lines?: (Line | { skipped: number })[];
  reset?: boolean;
  /** What stands after these lines; absent where nothing does. */
  partial?: PartialLine;
}
export type Row =
  | { kind: 'line'; id: number; line: Line }
  | { kind: 'skipped'; id: number; count: number }
  | { kind: 'reset'; id: number };

export interface Added {
  rows: Row[];
  /** Everything drawn so far is to go first. */
  cleared: boolean;
}

export class ConsoleBuffer {
  rows: Row[] = [];
  /** Replaced by each message. */
  partial: PartialLine | null = null;
  #last: number | null = null;
  #nextId = 1;

  constructor(readonly capacity = 5000) {}

  push(data: ConsoleData): Added {
    const added: Row[] = [];
    let cleared = false;
    this.partial = data.partial ?? null;
    if (data.reset && this.rows.length > 0) {
      // Counting began anew, so the lines that follow may be the ones we have: keep only the new ones.
      this.rows = [];
      cleared = true;
      added.push({ kind: 'reset', id: this.#id() });
    }
    if (data.reset) this.#last = null;
    for (const element of data.lines ?? []) {
      if ('skipped' in element) {
        added.push({ kind: 'skipped', id: this.#id(), count: element.skipped });
        if (this.#last !== null) this.#last += element.skipped;
        continue;
      }
      if (this.#last !== null) {
        // After a reconnect the last lines are sent again.
        if (element.seq <= this.#last) continue;
        const missing = element.seq - this.#last - 1;
        if (missing > 0) added.push({ kind: 'skipped', id: this.#id(), count: missing });
      }
      this.#last = element.seq;
      added.push({ kind: 'line', id: this.#id(), line: element });
    }
    this.rows.push(...added);
    return { rows: added, cleared };
  }

  /** Drops the oldest rows over the capacity; returns how many went. */
  trim(capacity = this.capacity): number {
    const over = this.rows.length - capacity;
    if (over <= 0) return 0;
    this.rows.splice(0, over);
    return over;
  }

  clear() {
    this.rows = [];
    this.partial = null;
  }

  /** Ids of the rows that hold the text, ignoring case, oldest first. */
  find(text: string): number[] {
    const wanted = text.toLowerCase();
    if (wanted === '') return [];
    return this.rows.filter((row) => row.kind === 'line' && plain(row.line.text).toLowerCase().includes(wanted)).map((row) => row.id);
  }

  /** For the download: times in UTC, without colours. */
  text(): string {
    const rows = this.rows
      .map((row) => {
        if (row.kind === 'skipped') return `${t.console.skipped(row.count)}\n`;
        if (row.kind === 'reset') return `… ${t.console.restarted} …\n`;
        return `${row.line.time} ${plain(row.line.text)}\n`;
      })
      .join('');
    return this.partial ? `${rows}${this.partial.time} ${plain(this.partial.text)}\n` : rows;
  }

  #id() {
    const id = this.#nextId;
    this.#nextId += 1;
    return id;
  }
}
