import { describe, expect, it } from 'vitest';
import { ConsoleBuffer } from './buffer';
import { Layout } from './layout';

function filled(count: number, text = (seq: number) => `line ${seq}`) {
  const buffer = new ConsoleBuffer();
  buffer.push({ lines: Array.from({ length: count }, (_, at) => ({ seq: at + 1, time: '2026-01-01T00:00:00Z', stream: 'stdout' as const, text: text(at + 1) })) });
  const layout = new Layout(buffer);
  layout.configure({ line: 20, mark: 28, columns: Infinity, time: 0 });
  return { buffer, layout };
}

describe('Layout', () => {
  it('finds rows by their place and places by their row', () => {
    const { buffer, layout } = filled(3000);
    expect(layout.total()).toBe(60_000);
    expect(layout.offset(2001)).toBe(40_000);
    expect(layout.between(40_000, 40_060)).toEqual([2001, 2002, 2003]);
    expect(layout.between(40_019, 40_021)).toEqual([2001, 2002]);
    expect(layout.between(-100, 1)).toEqual([1]);
    expect(layout.between(60_000, 70_000)).toEqual([]);
    buffer.push({ lines: [{ skipped: 3 }] });
    expect(layout.total()).toBe(60_028);
  });
  it('guesses the height of lines that wrap, and believes what was measured', () => {
    const { layout } = filled(3, () => 'x'.repeat(95));
    layout.configure({ line: 20, mark: 28, columns: 50, time: 9 });
    expect(layout.total()).toBe(180);
    expect(layout.measured(2, 40)).toBe(true);
    expect(layout.measured(2, 40)).toBe(false);
    expect(layout.offset(3)).toBe(100);
    expect(layout.configure({ line: 20, mark: 28, columns: 50, time: 9 })).toBe(false);
    expect(layout.configure({ line: 20, mark: 28, columns: 200, time: 9 })).toBe(true);
    expect(layout.total()).toBe(60);
  });
  it('stays right when the oldest rows go', () => {
    const { buffer, layout } = filled(3000);
    const small = new ConsoleBuffer(1000);
    const of = new Layout(small);
    of.configure({ line: 20, mark: 28, columns: Infinity, time: 0 });
    small.push({ lines: buffer.chunks.flatMap((chunk) => Array.from({ length: chunk.count }, (_, at) => ({ seq: chunk.first + at, time: '', stream: 'stdout' as const, text: chunk.text(at) }))) });
    small.trim();
    expect(of.total()).toBe(small.size * 20);
    expect(of.offset(small.first)).toBe(0);
    expect(of.between(0, 10)).toEqual([small.first]);
    expect(layout.offset(small.first)).toBe((small.first - 1) * 20);
  });
});
