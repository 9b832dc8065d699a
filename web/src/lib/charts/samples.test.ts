import { describe, expect, it } from 'vitest';
import type { Stats } from '../types';
import { columns, merge } from './samples';

const BASE = Date.parse('2026-01-01T00:00:00Z');
const at = (second: number, received = second * 100): Stats => ({
  cpu: second,
  memory: 1,
  disk: 1,
  network: { in: received, out: received * 2 },
  timestamp: new Date(BASE + second * 1000).toISOString()
});

describe('merge', () => {
  it('sorts, takes each moment once and forgets what is older than 10 minutes', () => {
    const merged = merge([at(0), at(10), at(700)], [at(10), at(5), at(200)]);
    expect(merged.map((sample) => sample.cpu)).toEqual([200, 700]);
    expect(merge([at(3)], [at(1), at(3)]).map((sample) => sample.cpu)).toEqual([1, 3]);
  });
  it('leaves out samples without a time', () => {
    expect(merge([], [{ ...at(1), timestamp: 'rubbish' }])).toEqual([]);
  });
});

describe('columns', () => {
  it('turns counters into rates', () => {
    const drawn = columns([at(0), at(1), at(11)]);
    expect(drawn.received).toEqual([null, 100, 100]);
    expect(drawn.sent).toEqual([null, 200, 200]);
  });
  it('has no rate where the counter began anew', () => {
    expect(columns([at(0, 5000), at(1, 10)]).received).toEqual([null, null]);
  });
  it('draws a hole as a hole', () => {
    const drawn = columns([at(0), at(120)]);
    expect(drawn.cpu).toEqual([0, null, 120]);
    expect(drawn.time.length).toBe(3);
    expect(drawn.received.at(-1)).toBeNull();
  });
});
