import { describe, expect, it } from 'vitest';
import { schedules as de } from '../i18n/de/schedules';
import { schedules as en } from '../i18n/en/schedules';
import type { SchedulePlan } from '../types';
import { conditionOf, newCondition, patternOf, secondsOf, sentence, timeOf, CONDITIONS } from './fields';

describe('schedules', () => {
  it('reads a time of day as a pattern and back', () => {
    expect(patternOf('05:00')).toBe('0 5 * * *');
    expect(['0 5 * * *', '59 23 * * *'].map(timeOf)).toEqual(['05:00', '23:59']);
    expect(['0 5 * * 1', '*/5 * * * *', '99 5 * * *', ''].map(timeOf)).toEqual([null, null, null, null]);
  });

  it('reads seconds in any order', () => {
    expect(secondsOf('10, 300;60 x -1 60')).toEqual([300, 60, 10]);
  });

  it('knows its conditions again', () => {
    expect(CONDITIONS.map((kind) => conditionOf(newCondition(kind)))).toEqual(CONDITIONS);
  });

  it('reads as a sentence', () => {
    const plan: SchedulePlan = {
      name: 'Night',
      enabled: true,
      trigger: { kind: 'cron', pattern: '0 5 * * *', zone: 'Europe/Berlin' },
      conditions: [{ kind: 'nobody_online' }],
      steps: [{ action: { kind: 'command', command: 'save-all' } }, { action: { kind: 'power', power: 'restart' } }]
    };
    expect(sentence(plan, en, (id) => id)).toBe('Every day at 05:00 (Europe/Berlin), only if nobody plays: type “save-all”, then restart.');
    expect(sentence(plan, de, (id) => id)).toBe('Jeden Tag um 05:00 (Europe/Berlin), nur wenn niemand spielt: „save-all“ eingeben, dann neu starten.');
  });
});
