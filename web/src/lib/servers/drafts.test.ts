import { describe, expect, it } from 'vitest';
import type { Limits, Variable } from '../types';
import { boundsText, fieldError, fromMegabytes, limitProblems, numberProblem, portProblems, switchWords, toMegabytes, validKey, variableKind } from './drafts';

const limits: Limits = { memory: 0, swap: 0, disk: 0, io: 500, cpu: 0, processes: 512 };
const variable = (rules: string, default_value = ''): Variable => ({ name: '', description: '', env_variable: 'A', default_value, user_viewable: true, user_editable: true, secret: false, rules });

describe('limits', () => {
  it('takes the defaults and an unlimited swap', () => {
    expect(limitProblems(limits)).toEqual({});
    expect(limitProblems({ ...limits, swap: -1, memory: 16 * 1024 * 1024 })).toEqual({});
  });
  it.each([
    ['limits.memory', { memory: 1024 }],
    ['limits.memory', { memory: -1 }],
    ['limits.swap', { swap: -2 }],
    ['limits.disk', { disk: -1 }],
    ['limits.io', { io: 9 }],
    ['limits.io', { io: 1001 }],
    ['limits.cpu', { cpu: 1.5 }],
    ['limits.cpu', { cpu: Number.NaN }],
    ['limits.processes', { processes: 15 }],
    ['limits.processes', { processes: 16_385 }],
    ['limits.processes', { processes: 0.5 }]
  ])('names %s for %j', (key, part) => {
    expect(Object.keys(limitProblems({ ...limits, ...part }))).toEqual([key]);
  });
  it('goes through megabytes', () => {
    expect(fromMegabytes('')).toBe(0);
    expect(fromMegabytes('512')).toBe(536_870_912);
    expect(fromMegabytes('-1')).toBeNull();
    expect(fromMegabytes('x')).toBeNull();
    expect(toMegabytes(536_870_912)).toBe('512');
    expect(toMegabytes(0)).toBe('');
  });
});

describe('ports', () => {
  it('names what is out of range or named twice', () => {
    expect(portProblems([{ internal: 1, external: 65535, protocol: 'tcp' }])).toEqual({});
    expect(portProblems([{ internal: 0, external: 65536, protocol: 'tcp' }])).toHaveProperty(['ports.0.external']);
    const twice = portProblems([
      { internal: 1, external: 5, protocol: 'tcp' },
      { internal: 2, external: 5, protocol: 'udp' },
      { internal: 3, external: 5, protocol: 'tcp' }
    ]);
    expect(Object.keys(twice)).toEqual(['ports.2.external']);
  });
  it('finds the panel’s field names in either spelling', () => {
    expect(fieldError({ 'ports[0].external': 'taken' }, 'ports.0.external')).toBe('taken');
    expect(fieldError({ 'ports.0.external': 'taken' }, 'ports.0.external')).toBe('taken');
    expect(fieldError({}, 'name')).toBeNull();
  });
});

describe('variables', () => {
  it('chooses the input by the rules', () => {
    expect(variableKind(variable('required|in:easy, hard'))).toEqual({ kind: 'choice', choices: ['easy', 'hard'] });
    expect(variableKind(variable('boolean'))).toEqual({ kind: 'switch' });
    expect(variableKind(variable('required|integer|max:100'))).toEqual({ kind: 'number', whole: true, max: 100 });
    expect(variableKind(variable('nullable|numeric|between:0.5, 4'))).toEqual({ kind: 'number', whole: false, min: 0.5, max: 4 });
    expect(variableKind(variable('integer|gt:0|lt:65'))).toEqual({ kind: 'number', whole: true, min: 1, max: 64 });
    expect(variableKind(variable('string|max:20'))).toEqual({ kind: 'text', max: 20 });
    expect(variableKind(variable(''))).toEqual({ kind: 'text' });
  });

  it('say what a number has to be, and what is wrong with one', () => {
    const players = variableKind(variable('required|integer|between:1,2000'));
    expect(players.kind === 'number' && boundsText(players)).toBe('Between 1 and 2000.');
    expect(['', '1', ' 64 ', '2000'].map((value) => numberProblem(players, value))).toEqual([null, null, null, null]);
    expect(['0', '2001', '-5'].map((value) => numberProblem(players, value))).toEqual(Array(3).fill('Between 1 and 2000.'));
    expect(['1.5', 'many', '0x10', '1e2'].map((value) => numberProblem(players, value))).toEqual(Array(4).fill('Enter a whole number.'));
    const rate = variableKind(variable('numeric|min:0.5'));
    expect([numberProblem(rate, '0.25'), numberProblem(rate, 'fast'), numberProblem(rate, '0.75')]).toEqual(['At least 0.5.', 'Enter a number.', null]);
    expect(boundsText({})).toBe('');
  });
  it('says on and off in the default’s words', () => {
    expect(switchWords(variable('boolean', 'TRUE'))).toEqual({ on: 'true', off: 'false' });
    expect(switchWords(variable('boolean', '0'))).toEqual({ on: '1', off: '0' });
  });
  it('knows names', () => {
    expect(validKey('A_1')).toBe(true);
    expect(validKey('1A')).toBe(false);
    expect(validKey('A-B')).toBe(false);
  });
});
