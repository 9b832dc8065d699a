/** Some hundred rows of a console in a compact form: numbers in typed arrays, and texts in one string once it is full. */
import { plain } from './sgr';

export const CHUNK = 512;

export const STDOUT = 0;
export const STDERR = 1;
export const SYSTEM = 2;
export const SKIPPED = 3;
export const RESET = 4;
export const RUN = 5;
/** Set beside a stream: the line was cut by the agent. */
const TRUNCATED = 8;

export type Stream = 'stdout' | 'stderr' | 'system';
const STREAMS: Stream[] = ['stdout', 'stderr', 'system'];

export type Row =
  | { kind: 'line'; id: number; time: number; stream: Stream; text: string; truncated: boolean }
  | { kind: 'skipped'; id: number; count: number }
  | { kind: 'reset'; id: number }
  /** The server was started: what stands above is of an earlier run. */
  | { kind: 'run'; id: number; time: number };

export class Chunk {
  count = 0;
  /** UTF-16 units of all texts. */
  chars = 0;
  readonly #kinds = new Uint8Array(CHUNK);
  /** Milliseconds since 1970; of skipped lines, how many they are. */
  readonly #numbers = new Float64Array(CHUNK);
  /** What one sees of a line, in characters, to guess its height. */
  readonly #lengths = new Uint16Array(CHUNK);
  #texts: string[] = [];
  #joined = '';
  #ends: Uint32Array | null = null;

  /** `first` is the id of its first row; ids grow by one within it. */
  constructor(public first: number) {}

  get full() {
    return this.count === CHUNK;
  }

  add(kind: number, value: number, text = '', truncated = false) {
    const at = this.count;
    this.#kinds[at] = truncated ? kind | TRUNCATED : kind;
    this.#numbers[at] = value;
    this.#lengths[at] = Math.min(65535, plain(text).length);
    this.#texts.push(text);
    this.chars += text.length;
    this.count += 1;
    if (this.full) this.#seal();
  }

  row(at: number): Row {
    const id = this.first + at;
    const kind = this.kind(at);
    const value = this.#numbers[at] ?? 0;
    if (kind === SKIPPED) return { kind: 'skipped', id, count: value };
    if (kind === RESET) return { kind: 'reset', id };
    if (kind === RUN) return { kind: 'run', id, time: value };
    const truncated = ((this.#kinds[at] ?? 0) & TRUNCATED) !== 0;
    return { kind: 'line', id, time: value, stream: STREAMS[kind] ?? 'stdout', text: this.text(at), truncated };
  }

  kind(at: number): number {
    return (this.#kinds[at] ?? 0) & ~TRUNCATED;
  }

  length(at: number): number {
    return this.#lengths[at] ?? 0;
  }

  text(at: number): string {
    if (!this.#ends) return this.#texts[at] ?? '';
    return this.#joined.slice(at === 0 ? 0 : this.#ends[at - 1], this.#ends[at]);
  }

  /** Lines in it, and those that were skipped already. */
  lines(): number {
    let lines = 0;
    for (let at = 0; at < this.count; at += 1) {
      const kind = this.kind(at);
      if (kind <= SYSTEM) lines += 1;
      else if (kind === SKIPPED) lines += this.#numbers[at] ?? 0;
    }
    return lines;
  }

  /** Stands for lines that were let go of: one row that says how many. */
  static gap(first: number, lines: number): Chunk {
    const gap = new Chunk(first);
    gap.add(SKIPPED, lines);
    return gap;
  }

  #seal() {
    const ends = new Uint32Array(this.count);
    let end = 0;
    this.#texts.forEach((text, at) => (ends[at] = end += text.length));
    this.#joined = this.#texts.join('');
    this.#ends = ends;
    this.#texts = [];
  }
}
