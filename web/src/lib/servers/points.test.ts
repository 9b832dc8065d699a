import { describe, expect, it } from 'vitest';
import { mergePoints } from './points';

describe('points of a small line', () => {
  it('are in order, each time once, and of ten minutes', () => {
    const at = (time: number, cpu = 1) => ({ time, cpu });
    expect(mergePoints([at(2000), at(1000)], [at(2000, 5), at(3000)])).toEqual([at(1000), at(2000, 5), at(3000)]);
    expect(mergePoints([at(0), at(700_000)], [at(800_000)])).toEqual([at(700_000), at(800_000)]);
    expect(mergePoints([], [])).toEqual([]);
  });
});
