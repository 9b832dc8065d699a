/** The last minutes of a server's use, as columns that a chart can draw. */
import type { Stats } from '../types';

export interface Columns {
  /** Seconds. */
  time: number[];
  cpu: (number | null)[];
  memory: (number | null)[];
  received: (number | null)[];
  sent: (number | null)[];
}

export const WINDOW = 600;
/** A hole longer than this is drawn as one: the server was off, or nobody measured. */
const HOLE = 30;

export function merge(known: Stats[], more: Stats[]): Stats[] {
  const byTime = new Map<number, Stats>();
  for (const sample of [...known, ...more]) {
    const time = Date.parse(sample.timestamp);
    if (!Number.isNaN(time)) byTime.set(time, sample);
  }
  const sorted = [...byTime.entries()].sort(([a], [b]) => a - b);
  const last = sorted.at(-1)?.[0] ?? 0;
  return sorted.filter(([time]) => time >= last - WINDOW * 1000).map(([, sample]) => sample);
}

export function columns(samples: Stats[]): Columns {
  const result: Columns = { time: [], cpu: [], memory: [], received: [], sent: [] };
  let before: Stats | null = null;
  for (const sample of samples) {
    const time = Date.parse(sample.timestamp) / 1000;
    const passed = before ? time - Date.parse(before.timestamp) / 1000 : 0;
    if (passed > HOLE) {
      result.time.push(time - 1);
      result.cpu.push(null);
      result.memory.push(null);
      result.received.push(null);
      result.sent.push(null);
    }
    result.time.push(time);
    result.cpu.push(sample.cpu);
    result.memory.push(sample.memory);
    const known = before && passed > 0 && passed <= HOLE ? before : null;
    result.received.push(known ? perSecond(known.network.in, sample.network.in, passed) : null);
    result.sent.push(known ? perSecond(known.network.out, sample.network.out, passed) : null);
    before = sample;
  }
  return result;
}

/** The counters begin at 0 with every start of the game. */
const perSecond = (before: number, after: number, passed: number) => (after >= before ? (after - before) / passed : null);
