/** What the console topic sends, as rows to draw, bounded in rows and in characters. Pure: no DOM, no clock. */
import { Chunk, RESET, RUN, SKIPPED, STDERR, STDOUT, SYSTEM, type Row, type Stream } from './chunk';
import { plain } from './sgr';
import { t } from '../i18n/i18n.svelte';

export interface Line {
  seq: number;
  time: string;
  stream: Stream;
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

export interface Added {
  /** Rows that were added. */
  count: number;
  /** Everything drawn so far is to go first. */
  cleared: boolean;
}

/** What the agent says on the console at the beginning of each run (`agent/src/server/actions.rs`). */
const RUN_BEGINS = /^Starting the server\.$/;
const KINDS = { stdout: STDOUT, stderr: STDERR, system: SYSTEM };

export class ConsoleBuffer {
  /** Replaced by each message. */
  partial: PartialLine | null = null;
  chunks: Chunk[] = [];
  /** Rows and characters in all chunks. */
  #rows = 0;
  #chars = 0;
  #last: number | null = null;
  /** Number of the oldest line, where lines may still be put before it. */
  #oldest: number | null = null;
  /** The id that the next row gets. */
  end: number;
  /** Where runs began, oldest first: at most one before the first row that is kept. */
  #runs: { id: number; time: number }[] = [];

  constructor(
    readonly capacity = 100_000,
    readonly maxChars = 16_000_000,
    /** Ids that are free before the first row, for lines that are put there later. */
    before = 0
  ) {
    this.end = before + 1;
  }

  get size() {
    return this.#rows;
  }
  /** Id of the oldest row; that of the next one while there is none. */
  get first() {
    return this.chunks[0]?.first ?? this.end;
  }
  /** Id of the row with which the newest run began; 0 where none did. */
  get latestRun() {
    return this.#runs.at(-1)?.id ?? 0;
  }

  /** Whether lines before the oldest row may be had from the panel. */
  get hasEarlier() {
    return this.#oldest !== null && this.#oldest > 1;
  }

  /**
   * Puts lines before the oldest one; what is here already is left out. They have to reach up to it: else counting began
   * anew meanwhile, and nothing is added. Whether any was.
   */
  prepend(elements: (Line | { skipped: number })[]): boolean {
    const oldest = this.#oldest;
    this.#oldest = null;
    const reaches = elements.some((element) => 'seq' in element && element.seq === oldest);
    if (oldest === null || !reaches) return false;
    const earlier = new ConsoleBuffer();
    const from = elements.findIndex((element) => 'seq' in element);
    earlier.push({ lines: elements.slice(from).filter((element) => !('seq' in element) || element.seq < oldest) });
    const shift = this.first - earlier.end;
    if (earlier.size === 0 || shift + earlier.first < 1) return false;
    for (const chunk of earlier.chunks) chunk.first += shift;
    this.chunks.unshift(...earlier.chunks);
    this.#runs.unshift(...earlier.#runs.map((run) => ({ ...run, id: run.id + shift })));
    this.#rows += earlier.#rows;
    this.#chars += earlier.#chars;
    return true;
  }

  push(data: ConsoleData): Added {
    const before = this.end;
    const first = this.#rows === 0;
    let cleared = false;
    this.partial = data.partial ?? null;
    if (data.reset && this.#rows > 0) {
      // Counting began anew, so the lines that follow may be the ones we have: keep only the new ones.
      this.#drop();
      cleared = true;
      this.#add(RESET, 0);
    }
    if (data.reset) this.#last = this.#oldest = null;
    for (const element of data.lines ?? []) {
      if ('skipped' in element) {
        this.#add(SKIPPED, element.skipped);
        if (this.#last !== null) this.#last += element.skipped;
        continue;
      }
      if (this.#last !== null) {
        // After a reconnect the last lines are sent again.
        if (element.seq <= this.#last) continue;
        const missing = element.seq - this.#last - 1;
        if (missing > 0) this.#add(SKIPPED, missing);
      }
      if (first && this.#rows === 0) this.#oldest = element.seq;
      this.#last = element.seq;
      const time = Date.parse(element.time);
      if (element.stream === 'system' && RUN_BEGINS.test(element.text)) {
        this.#runs.push({ id: this.end, time });
        this.#add(RUN, time);
      }
      this.#add(KINDS[element.stream] ?? STDOUT, time, element.text, element.truncated);
    }
    return { count: this.end - before, cleared };
  }

  row(id: number): Row | null {
    const chunk = this.chunks[this.chunkOf(id)];
    const at = chunk ? id - chunk.first : -1;
    return chunk && at >= 0 && at < chunk.count ? chunk.row(at) : null;
  }

  /** Index of the chunk that holds this row, or of the last one before it; -1 where all come after it. */
  chunkOf(id: number): number {
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.chunks[middle]?.first ?? 0) <= id) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** When the run began to which a row belongs; null where that is not known. */
  runOf(id: number): number | null {
    for (let at = this.#runs.length - 1; at >= 0; at -= 1) {
      const run = this.#runs[at];
      if (run && run.id <= id) return run.time;
    }
    return null;
  }

  /**
   * Lets go of what is too much: the oldest, but never of what is being read, which is the row `held` and its
   * neighbours. Where those are the oldest, the lines after them go, and a row says how many.
   */
  trim(held: number | null = null) {
    while ((this.#rows > this.capacity || this.#chars > this.maxChars) && this.chunks.length > 1) {
      const at = held === null ? Infinity : Math.max(0, this.chunkOf(held));
      if (at >= 2) this.#forget(0, 1);
      else if (!this.#fold(at + 2)) return;
    }
    const first = this.first;
    while ((this.#runs[1]?.id ?? Infinity) <= first) this.#runs.shift();
  }

  /** Ids of the rows from this one on that hold the text, ignoring case, oldest first. */
  find(text: string, from = 0): number[] {
    const wanted = searched(text);
    const found: number[] = [];
    if (!wanted) return found;
    for (let index = Math.max(0, this.chunkOf(from)); index < this.chunks.length; index += 1) {
      const chunk = this.chunks[index];
      if (!chunk) break;
      for (let at = Math.max(0, from - chunk.first); at < chunk.count; at += 1) {
        if (chunk.kind(at) <= SYSTEM && wanted.test(plain(chunk.text(at)))) found.push(chunk.first + at);
      }
    }
    return found;
  }

  /** For the download: times in UTC, without colours. */
  text(): string {
    const parts: string[] = [];
    for (const chunk of this.chunks) {
      for (let at = 0; at < chunk.count; at += 1) {
        const row = chunk.row(at);
        if (row.kind === 'skipped') parts.push(t.console.skipped(row.count));
        else if (row.kind === 'reset') parts.push(`… ${t.console.restarted} …`);
        else if (row.kind === 'line') parts.push(`${stamp(row.time)} ${plain(row.text)}`);
      }
    }
    if (this.partial) parts.push(`${this.partial.time} ${plain(this.partial.text)}`);
    return parts.map((part) => `${part}\n`).join('');
  }

  /** What was selected: from a place in one row's text to one in another's. */
  between(from: { id: number; offset: number }, to: { id: number; offset: number }): string {
    const parts: string[] = [];
    for (let index = Math.max(0, this.chunkOf(from.id)); index < this.chunks.length; index += 1) {
      const chunk = this.chunks[index];
      if (!chunk || chunk.first > to.id) break;
      for (let at = Math.max(0, from.id - chunk.first); at < chunk.count && chunk.first + at <= to.id; at += 1) {
        const row = chunk.row(at);
        if (row.kind === 'skipped') parts.push(t.console.skipped(row.count));
        if (row.kind !== 'line') continue;
        const text = plain(row.text);
        parts.push(text.slice(row.id === from.id ? from.offset : 0, row.id === to.id ? to.offset : undefined));
      }
    }
    return parts.join('\n');
  }

  #add(kind: number, value: number, text = '', truncated = false) {
    let chunk = this.chunks.at(-1);
    if (!chunk || chunk.full || chunk.first + chunk.count !== this.end) this.chunks.push((chunk = new Chunk(this.end)));
    chunk.add(kind, value, text, truncated);
    this.end += 1;
    this.#rows += 1;
    this.#chars += text.length;
  }

  /** Lines between what is read and what is new become one row; false where nothing is left to be let go of. */
  #fold(at: number): boolean {
    const chunk = this.chunks[at];
    const after = this.chunks[at + 1];
    // The newest lines stay: there is where one goes back to.
    if (!chunk || !after || at + 2 >= this.chunks.length) return false;
    const gap = Chunk.gap(chunk.first, chunk.lines() + after.lines());
    this.#forget(at, 2);
    this.chunks.splice(at, 0, gap);
    this.#rows += 1;
    return true;
  }

  #forget(at: number, count: number) {
    if (at === 0) this.#oldest = null;
    for (const chunk of this.chunks.splice(at, count)) {
      this.#rows -= chunk.count;
      this.#chars -= chunk.chars;
    }
  }

  #drop() {
    this.chunks = [];
    this.#rows = this.#chars = 0;
    this.#runs = [];
  }
}

/** What is searched for, ignoring case; null for nothing. */
export function searched(text: string): RegExp | null {
  return text === '' ? null : new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'iu');
}

const stamp = (time: number) => (Number.isNaN(time) ? '-' : new Date(time).toISOString());
