/** Where each row of a console lies, in pixels: guessed from its length until it was drawn, measured from then on. */
import { CHUNK, SYSTEM, type Chunk } from './chunk';
import type { ConsoleBuffer } from './buffer';

export interface Metrics {
  /** Height of one line of text. */
  line: number;
  /** Height of a row that marks a gap or a run. */
  mark: number;
  /** Characters beside each other; Infinity where lines do not wrap. */
  columns: number;
  /** Characters that the time takes before the text. */
  time: number;
}

/** Printable ASCII, and the escapes of colours. */
// eslint-disable-next-line no-control-regex
const ONE_WIDTH = /^[\u0020-\u007e\u001b]*$/;

interface Heights {
  version: number;
  heights: Float32Array;
  /** Rows that have a height here. */
  count: number;
  total: number;
}

export class Layout {
  #heights = new WeakMap<Chunk, Heights>();
  #version = 0;
  #metrics: Metrics = { line: 19, mark: 27, columns: Infinity, time: 0 };

  constructor(readonly buffer: ConsoleBuffer) {}

  /** All rows are guessed anew where that changes anything. */
  configure(metrics: Metrics): boolean {
    const before = this.#metrics;
    if (this.#version > 0 && (Object.keys(metrics) as (keyof Metrics)[]).every((key) => metrics[key] === before[key])) return false;
    this.#metrics = metrics;
    this.#version += 1;
    return true;
  }

  total(): number {
    return this.buffer.chunks.reduce((sum, chunk) => sum + this.#of(chunk).total, 0);
  }

  /** Where a row begins. One that is gone lies where its neighbour does. */
  offset(id: number): number {
    const index = this.buffer.chunkOf(id);
    let sum = 0;
    for (let at = 0; at < index; at += 1) sum += this.#total(at);
    const chunk = this.buffer.chunks[index];
    if (!chunk) return sum;
    const { heights } = this.#of(chunk);
    const until = Math.min(id - chunk.first, chunk.count);
    for (let at = 0; at < until; at += 1) sum += heights[at] ?? 0;
    return sum;
  }

  height(id: number): number {
    const chunk = this.buffer.chunks[this.buffer.chunkOf(id)];
    return chunk ? (this.#of(chunk).heights[id - chunk.first] ?? 0) : 0;
  }

  /** Ids of the rows from one height to another, oldest first. */
  between(top: number, bottom: number): number[] {
    const ids: number[] = [];
    let y = 0;
    for (const chunk of this.buffer.chunks) {
      const known = this.#of(chunk);
      if (y + known.total <= top) {
        y += known.total;
        continue;
      }
      for (let at = 0; at < chunk.count; at += 1) {
        if (y >= bottom) return ids;
        y += known.heights[at] ?? 0;
        if (y > top) ids.push(chunk.first + at);
      }
    }
    return ids;
  }

  /** What was drawn is this high; whether that is news. */
  measured(id: number, height: number): boolean {
    const chunk = this.buffer.chunks[this.buffer.chunkOf(id)];
    const at = chunk ? id - chunk.first : CHUNK;
    if (!chunk || at >= chunk.count) return false;
    const known = this.#of(chunk);
    const before = known.heights[at] ?? 0;
    if (before === height) return false;
    known.heights[at] = height;
    known.total += height - before;
    return true;
  }

  /** Whether the guess holds, so that nothing need be measured: a gap, or letters of one width that fit into one line. */
  certain(id: number): boolean {
    const chunk = this.buffer.chunks[this.buffer.chunkOf(id)];
    const at = chunk ? id - chunk.first : CHUNK;
    if (!chunk || at >= chunk.count) return false;
    const { columns, time } = this.#metrics;
    return chunk.kind(at) > SYSTEM || columns === Infinity || (chunk.length(at) + time < columns && ONE_WIDTH.test(chunk.text(at)));
  }

  #total(index: number): number {
    const chunk = this.buffer.chunks[index];
    return chunk ? this.#of(chunk).total : 0;
  }

  #of(chunk: Chunk): Heights {
    let known = this.#heights.get(chunk);
    if (!known || known.version !== this.#version) {
      known = { version: this.#version, heights: new Float32Array(chunk.full ? CHUNK : chunk.count), count: 0, total: 0 };
      this.#heights.set(chunk, known);
    }
    if (known.count < chunk.count) {
      if (known.heights.length < chunk.count) {
        const larger = new Float32Array(CHUNK);
        larger.set(known.heights);
        known.heights = larger;
      }
      for (; known.count < chunk.count; known.count += 1) {
        const height = this.#guess(chunk, known.count);
        known.heights[known.count] = height;
        known.total += height;
      }
    }
    return known;
  }

  #guess(chunk: Chunk, at: number): number {
    const { line, mark, columns, time } = this.#metrics;
    if (chunk.kind(at) > SYSTEM) return mark;
    return line * Math.max(1, Math.ceil((chunk.length(at) + time) / columns));
  }
}
