import { describe, expect, it } from 'vitest';
import { ConsoleBuffer, type Line } from './buffer';

const line = (seq: number, text = `line ${seq}`): Line => ({ seq, time: '2026-01-01T00:00:00Z', stream: 'stdout', text });
const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => line(from + at));
/** Each line's number, as its text has it. */
const seqs = (buffer: ConsoleBuffer) =>
  buffer.chunks.flatMap((chunk) => Array.from({ length: chunk.count }, (_, at) => chunk.row(at))).map((row) => (row.kind === 'line' ? Number(/\d+/.exec(row.text)?.[0]) : row.kind === 'skipped' ? `-${row.count}` : row.kind));

describe('ConsoleBuffer', () => {
  it('takes what is sent again after a reconnect only once', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: lines(5, 8) });
    expect(buffer.push({ lines: lines(6, 10) }).count).toBe(2);
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
  it('takes earlier lines before the first one, once, and only where they reach up to it', () => {
    const buffer = new ConsoleBuffer(100_000, 16_000_000, 4096);
    buffer.push({ lines: lines(801, 1000) });
    expect(buffer.hasEarlier).toBe(true);
    const began = { ...line(300, 'Starting the server.'), stream: 'system' as const };
    const { first } = buffer;
    expect(buffer.prepend([{ skipped: 3 }, ...lines(1, 299), began, ...lines(301, 500), { skipped: 100 }, ...lines(601, 1000)])).toBe(true);
    expect(seqs(buffer).filter((seq) => typeof seq === 'number')).toHaveLength(900);
    expect(buffer.row(first)).toMatchObject({ text: 'line 801' });
    expect(buffer.row(first - 1)).toMatchObject({ text: 'line 800' });
    expect(buffer.runOf(first)).toBe(Date.parse('2026-01-01T00:00:00Z'));
    expect(seqs(buffer)[0]).toBe(1);
    expect(buffer.hasEarlier).toBe(false);
    buffer.push({ lines: lines(1001, 1002) });
    expect(seqs(buffer).at(-1)).toBe(1002);

    const other = new ConsoleBuffer(100_000, 16_000_000, 4096);
    other.push({ lines: lines(801, 1000) });
    expect(other.prepend(lines(1, 700))).toBe(false);
    expect(seqs(other)[0]).toBe(801);
    const whole = new ConsoleBuffer();
    whole.push({ lines: lines(1, 10) });
    expect(whole.hasEarlier).toBe(false);
  });
  it('begins anew on a reset', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: lines(50, 52) });
    expect(buffer.push({ reset: true, lines: lines(1, 2) }).cleared).toBe(true);
    expect(seqs(buffer)).toEqual(['reset', 1, 2]);
    expect(new ConsoleBuffer().push({ reset: true, lines: lines(1, 2) }).cleared).toBe(false);
  });
  it('keeps to its size, in rows and in characters', () => {
    const buffer = new ConsoleBuffer(2000);
    buffer.push({ lines: lines(1, 5000) });
    buffer.trim();
    expect(buffer.size).toBeLessThanOrEqual(2000);
    expect(buffer.size).toBeGreaterThan(2000 - 512);
    expect(seqs(buffer).at(-1)).toBe(5000);
    expect(seqs(buffer)[0]).toBe(5000 - buffer.size + 1);
    const small = new ConsoleBuffer(100_000, 300_000);
    small.push({ lines: Array.from({ length: 3000 }, (_, at) => line(at + 1, 'x'.repeat(200))) });
    small.trim();
    expect(small.size).toBeLessThanOrEqual(1500);
    expect(small.size).toBeGreaterThan(900);
  });
  it('keeps what is being read, and says how many lines went after it', () => {
    const buffer = new ConsoleBuffer(5000);
    buffer.push({ lines: lines(1, 3000) });
    const held = buffer.first + 100;
    for (let from = 3001; from < 60_000; from += 1000) {
      buffer.push({ lines: lines(from, from + 999) });
      buffer.trim(held);
    }
    expect(buffer.size).toBeLessThanOrEqual(5000);
    expect(buffer.row(held)).toMatchObject({ text: 'line 101' });
    const all = seqs(buffer);
    const gap = all.findIndex((one) => typeof one === 'string');
    const missing = -Number(all[gap]);
    expect(Number(all[gap - 1]) + missing + 1).toBe(all[gap + 1]);
    expect(all.at(-1)).toBe(60_000);
    expect(all.filter((one) => typeof one === 'string')).toHaveLength(1);
    buffer.trim(null);
    buffer.push({ lines: lines(60_001, 70_000) });
    buffer.trim(null);
    expect(seqs(buffer)[0]).toBeGreaterThan(60_000);
  });
  it('reads the same from a full chunk as from one that is being filled', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: [{ ...line(1, ''), stream: 'stderr', truncated: true }, ...lines(2, 600)] });
    expect(buffer.row(1)).toEqual({ kind: 'line', id: 1, time: Date.parse('2026-01-01T00:00:00Z'), stream: 'stderr', text: '', truncated: true });
    expect(buffer.row(512)).toMatchObject({ text: 'line 512' });
    expect(buffer.row(600)).toMatchObject({ text: 'line 600', stream: 'stdout', truncated: false });
    expect(buffer.row(601)).toBeNull();
  });
  it('marks where a run begins, and knows to which one a row belongs', () => {
    const buffer = new ConsoleBuffer();
    const start = (seq: number, time: string): Line => ({ seq, time, stream: 'system', text: 'Starting the server.' });
    buffer.push({ lines: [line(1), start(2, '2026-01-01T10:00:00Z'), line(3), start(4, '2026-01-01T11:00:00Z'), line(5)] });
    expect(buffer.row(2)).toMatchObject({ kind: 'run' });
    expect(buffer.runOf(1)).toBeNull();
    expect(buffer.runOf(4)).toBe(Date.parse('2026-01-01T10:00:00Z'));
    expect(buffer.runOf(buffer.end - 1)).toBe(Date.parse('2026-01-01T11:00:00Z'));
    expect(buffer.row(buffer.latestRun)).toMatchObject({ kind: 'run', time: Date.parse('2026-01-01T11:00:00Z') });
    // A game may print the same words.
    buffer.push({ lines: [line(6, 'Starting the server.')] });
    expect(buffer.row(buffer.end - 1)).toMatchObject({ kind: 'line' });
  });
  it('gives what was selected, without colours and over any number of rows', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: [line(1, '\u001b[31mhello\u001b[0m there'), line(2), { skipped: 4 }, line(7, 'the end')] });
    expect(buffer.between({ id: 1, offset: 6 }, { id: 4, offset: 3 })).toBe('there\nline 2\n… 4 lines skipped …\nthe');
    expect(buffer.between({ id: 2, offset: 1 }, { id: 2, offset: 4 })).toBe('ine');
  });
  it('finds text without its colours, ignoring case', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: [line(1, 'hello \u001b[32mMi\u001b[0mra'), line(2, 'nobody'), { skipped: 3 }] });
    expect(buffer.find('mira')).toEqual([1]);
    expect(buffer.find('mira', 2)).toEqual([]);
    expect(buffer.find('')).toEqual([]);
    buffer.push({ lines: [line(6, 'world-1 [ok] (50%) a\\b')] });
    for (const text of ['d-1', '[OK]', '(50%)', 'a\\b']) expect(buffer.find(text), text).toEqual([4]);
  });
  it('replaces the unfinished line with each message', () => {
    const buffer = new ConsoleBuffer();
    const partial = (text: string) => ({ time: '2026-01-01T00:00:00Z', stream: 'stdout' as const, text });
    buffer.push({ lines: [line(1)], partial: partial('10%') });
    expect(buffer.push({ lines: [], partial: partial('20%') }).count).toBe(0);
    expect(buffer.partial?.text).toBe('20%');
    expect(seqs(buffer)).toEqual([1]);
    expect(buffer.text()).toBe('2026-01-01T00:00:00.000Z line 1\n2026-01-01T00:00:00Z 20%\n');
    buffer.push({ lines: [line(2, '2 done')] });
    expect(buffer.partial).toBeNull();
    expect(seqs(buffer)).toEqual([1, 2]);
  });
  it('becomes a text file', () => {
    const buffer = new ConsoleBuffer();
    buffer.push({ lines: [line(1, '\u001b[31mred'), { skipped: 2 }] });
    expect(buffer.text()).toBe('2026-01-01T00:00:00.000Z red\n… 2 lines skipped …\n');
  });
});
