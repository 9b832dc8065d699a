import { describe, expect, it } from 'vitest';
import type { DoctorFinding, DoctorReport } from '../types';
import { asText, pieces, sorted, verdict } from './report';

const finding = (level: DoctorFinding['level'], code: string, more: Partial<DoctorFinding> = {}): DoctorFinding => ({
  group: 'disk',
  code,
  level,
  title: code,
  detail: `about ${code}.`,
  ...more
});

const report = (findings: DoctorFinding[], more: Partial<DoctorReport> = {}): DoctorReport => {
  const count = (level: string) => findings.filter((one) => one.level === level).length;
  return {
    version: 1,
    at: '2026-01-01T00:00:00Z',
    facts: { kernel: 'Linux 6.1' },
    summary: { problem: count('problem'), warning: count('warning'), note: count('note'), ok: count('ok') },
    findings,
    gone: [],
    changed: [],
    ...more
  };
};

describe('a check-up', () => {
  it('shows the worst first and keeps what is fine apart', () => {
    const { loud, fine } = sorted(report([finding('ok', 'a'), finding('note', 'b'), finding('problem', 'c'), finding('warning', 'd')]));
    expect(loud.map(({ code }) => code)).toEqual(['c', 'd', 'b']);
    expect(fine.map(({ code }) => code)).toEqual(['a']);
  });

  it('has one sentence', () => {
    expect(verdict(report([finding('ok', 'a')]))).toBe('No problems found');
    expect(verdict(report([finding('problem', 'a'), finding('note', 'b'), finding('note', 'c')]))).toBe('1 problem, 2 notes');
  });

  it('tells commands from words', () => {
    expect(pieces('Run `a b`, then `c`.')).toEqual([
      { text: 'Run ', command: false },
      { text: 'a b', command: true },
      { text: ', then ', command: false },
      { text: 'c', command: true },
      { text: '.', command: false }
    ]);
  });

  it('is text for whoever helps', () => {
    const changed = [{ what: 'kernel', before: '6.0', now: '6.1' }];
    const gone = [{ code: 'x', about: 'shed', title: 'X' }];
    const text = asText(report([finding('ok', 'a'), finding('problem', 'b', { about: '3000', new: true })], { since: '2025', gone, changed }));
    expect(text.split('\n')).toEqual([
      'Ctrl-Alt-Play check-up, 2026-01-01T00:00:00Z',
      'kernel: Linux 6.1',
      '',
      '[problem] b (3000): about b. (new)',
      '[ok] a: about a.',
      '',
      'since 2025',
      'gone: x (shed)',
      'changed: kernel: 6.0 → 6.1',
      ''
    ]);
  });
});
