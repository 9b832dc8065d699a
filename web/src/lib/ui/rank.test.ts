import { describe, expect, it } from 'vitest';
import { rank } from './rank';

describe('rank', () => {
  it('needs every word', () => {
    expect(rank('do start x', 'start are', ['Start', 'Arena'])).toBeGreaterThan(0);
    expect(rank('do start y', 'start are', ['Start', 'Modded'])).toBe(0);
    expect(rank('server y', 'arena', ['Renamed', 'Minecraft'])).toBe(0);
  });
  it('puts going there before doing something', () => {
    expect(rank('server x', 'arena', ['Arena', 'OpenArena'])).toBeGreaterThan(rank('do start x', 'arena', ['Start', 'Arena']));
  });
  it('likes beginnings', () => {
    expect(rank('server x', 'ra', ['Rails'])).toBeGreaterThan(rank('server y', 'ra', ['Terra']));
  });
  it('takes markup and brackets as they are', () => {
    expect(rank('server x', '<b>(', ['<b>(x'])).toBe(1);
  });
});
