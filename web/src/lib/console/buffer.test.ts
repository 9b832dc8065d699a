import { describe, expect, it } from 'vitest';
import { ConsoleBuffer, type Line } from './buffer';

const line = (seq: number, text = `line ${seq}`): Line => ({ seq, time: '2026-01-01T00:00:00Z', stream: 'stdout', text });
const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => line(from + at));
const seqs = (buffer: ConsoleBuffer) => buffer.rows.map((row) => (row.kind === 'line' ? row.line.seq : row.kind === 'skipped' ? `-${row.count}` : 'reset'));

describe('ConsoleBuffer', () => {
  it('takes what is sent again after a reconnect only once', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: lines(5, 8) });
    const { rows } = buffer.push({ lines: lines(6, 10) });
    expect(rows).toHaveLength(2);
    expect(seqs(buffer)).toEqual([5, 6, 7, 8, 9, 10]);
  });
  it('shows what the panel skipped, and does not count it twice', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: [line(1), { skipped: 7 }, line(9)] });
    expect(seqs(buffer)).toEqual([1, '-7', 9]);
  });
  it('shows a hole after a long time without a link', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: [line(1)] });
    buffer.push({ lines: lines(500, 501) });
    expect(seqs(buffer)).toEqual([1, '-498', 500, 501]);
  });
  it('has no hole before the first line it sees', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: [line(900)] });
    expect(seqs(buffer)).toEqual([900]);
  });
  it('begins anew on a reset', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: lines(50, 52) });
    expect(buffer.push({ reset: true, lines: lines(1, 2) }).cleared).toBe(true);
    expect(seqs(buffer)).toEqual(['reset', 1, 2]);
    expect(new ConsoleBuffer().push({ reset: true, lines: lines(1, 2) }).cleared).toBe(false);
  });
  it('keeps to its size', () => {
    const buffer = new ConsoleBuffer(100);
    buffer.push({ lines: lines(1, 250) });
    expect(buffer.trim()).toBe(150);
    expect(seqs(buffer)[0]).toBe(151);
    expect(buffer.trim()).toBe(0);
  });
  it('finds text without its colours, ignoring case', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: [line(1, 'hello \u001b[32mMi\u001b[0mra'), line(2, 'nobody'), { skipped: 3 }] });
    expect(buffer.find('mira')).toEqual([buffer.rows[0]?.id]);
    expect(buffer.find('')).toEqual([]);
  });
  it('replaces the unfinished line with each message', () => {
    const buffer = new ConsoleBuffer();
    const partial = (text: string) => ({ time: '2026-01-01T00:00:00Z', stream: 'stdout' as const, text });
    buffer.push({ lines: [line(1)], partial: partial('10%') });
    expect(buffer.push({ lines: [], partial: partial('20%') }).rows).toEqual([]);
    expect(buffer.partial?.text).toBe('20%');
    expect(seqs(buffer)).toEqual([1]);
    expect(buffer.text()).toBe('2026-01-01T00:00:00Z line 1\n2026-01-01T00:00:00Z 20%\n');
    buffer.push({ lines: [line(2, '100%')] });
    expect(buffer.partial).toBeNull();
    expect(seqs(buffer)).toEqual([1, 2]);
  });
  it('becomes a text file', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: [line(1, '\u001b[31mred'), { skipped: 2 }] });
    expect(buffer.text()).toBe('2026-01-01T00:00:00Z red\n… 2 lines skipped …\n');
  });
});
