import { describe, expect, it } from 'vitest';
import { commandProblem } from './command';
import { History } from './history';

describe('History', () => {
  it('goes up and down and gives the draft back', () => {
    const history = new History(['list', 'say hi']);
    expect(history.up('dra')).toBe('say hi');
    expect(history.up('say hi')).toBe('list');
    expect(history.up('list')).toBeNull();
    expect(history.down()).toBe('say hi');
    expect(history.down()).toBe('dra');
    expect(history.down()).toBeNull();
  });
  it('keeps neither empty lines nor the same one twice in a row', () => {
    const history = new History();
    for (const command of ['a', 'a', ' ', 'b', 'a']) history.add(command);
    expect(JSON.parse(history.store())).toEqual(['a', 'b', 'a']);
    expect(history.up('')).toBe('a');
  });
  it('keeps to its size and survives what lies in storage', () => {
    const history = new History([], 3);
    for (const command of ['1', '2', '3', '4']) history.add(command);
    expect(JSON.parse(history.store())).toEqual(['2', '3', '4']);
    expect(History.load('{broken').up('')).toBeNull();
    expect(History.load('{"a":1}').up('')).toBeNull();
    expect(History.load('[1,"x"]').up('')).toBe('x');
    expect(History.load(null).up('')).toBeNull();
  });
});

describe('commandProblem', () => {
  it('takes one line of at most 4,000 bytes', () => {
    expect(commandProblem('say hé')).toBeNull();
    expect(commandProblem('a\u0007')).not.toBeNull();
    expect(commandProblem('a\nb')).not.toBeNull();
    expect(commandProblem('é'.repeat(2000))).toBeNull();
    expect(commandProblem('é'.repeat(2001))).not.toBeNull();
  });
});
