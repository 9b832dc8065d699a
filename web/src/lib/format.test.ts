import { describe, expect, it } from 'vitest';
import { ago, bytes, bytesOf, clock, duration, percent, rate, secondsUntil } from './format';

const GB = 1024 ** 3;

describe('sizes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 kB'],
    [1536, '1.5 kB'],
    [1024 * 1023.7, '1 MB'],
    [3 * GB, '3 GB'],
    [1.94 * GB, '1.9 GB'],
    [118 * GB, '118 GB'],
    [null, '–'],
    [Number.NaN, '–']
  ])('%s is %s', (value, text) => {
    expect(bytes(value)).toBe(text);
  });
  it('shares the unit of used and total', () => {
    expect(bytesOf(1.9 * GB, 3 * GB)).toBe('1.9 / 3 GB');
    expect(bytesOf(800 * 1024 ** 2, 3 * GB)).toBe('800 MB / 3 GB');
    expect(bytesOf(800 * 1024 ** 2, 0)).toBe('800 MB');
    expect(bytesOf(null, 3 * GB)).toBe('– / 3 GB');
  });
  it('has rates', () => expect(rate(2048)).toBe('2 kB/s'));
});

describe('percent', () => {
  it.each([
    [0, '0 %'],
    [0.42, '0.4 %'],
    [9.96, '10 %'],
    [34.4, '34 %'],
    [212, '212 %'],
    [undefined, '–']
  ])('%s is %s', (value, text) => {
    expect(percent(value)).toBe(text);
  });
});

describe('times', () => {
  it.each([
    [8_000, '8 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3_600_000, '1 h'],
    [3_660_000, '1 h 1 min'],
    [86_400_000 * 3 + 3_600_000 * 4, '3 d 4 h'],
    [-5, '0 s']
  ])('%s ms are %s', (value, text) => {
    expect(duration(value)).toBe(text);
  });
  it('counts down to 0 and not below', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(secondsUntil('2026-01-01T00:00:12.300Z', now)).toBe(13);
    expect(secondsUntil('2025-12-31T23:59:00Z', now)).toBe(0);
    expect(secondsUntil(null, now)).toBeNull();
    expect(secondsUntil('rubbish', now)).toBeNull();
  });
  it('says how long ago', () => {
    const now = Date.parse('2026-01-03T00:00:00Z');
    expect(ago('2026-01-02T23:59:50Z', now)).toBe('just now');
    expect(ago('2026-01-01T20:10:00Z', now)).toBe('1 d ago');
    expect(ago(undefined, now)).toBe('never');
  });
  it('draws a broken time as such', () => expect(clock('rubbish')).toBe('--:--:--'));
});
