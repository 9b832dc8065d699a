import { expect, it } from 'vitest';
import { mayReload } from './recovery';

it('loads a page again three times a minute at most', () => {
  const kept = new Map<string, string>();
  const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
  expect([0, 1, 2, 3].map((second) => mayReload(storage, second * 1000))).toEqual([true, true, true, false]);
  expect(mayReload(storage, 61_500)).toBe(true);
  kept.set('reloads', 'rubbish');
  expect(mayReload(storage, 0)).toBe(false);
});
