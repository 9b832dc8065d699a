import { describe, expect, it } from 'vitest';
import type { TemplateSummary } from '../types';
import { filtered, noFilter } from './filter';

const one = (id: string, more: Partial<TemplateSummary> = {}): TemplateSummary => ({
  id, name: id.toUpperCase(), description: 'A game of blocks', builtin: false, icon: false, architectures: [], image: 'a/b', ports: [], tags: [],
  memory: { minimum: 0, recommended: 2 ** 30 }, runs: { local: true }, ...more
});
const list = [one('paper', { builtin: true }), one('rust', { memory: { minimum: 0, recommended: 12 * 2 ** 30 }, runs: { local: false } }), one('bot', { tags: ['chat'] })];
const ids = (filter: Partial<ReturnType<typeof noFilter>>) => filtered(list, { ...noFilter(), ...filter }).map(({ id }) => id);

describe('the gallery', () => {
  it('keeps the order, and finds each word anywhere', () => {
    expect(ids({})).toEqual(['paper', 'rust', 'bot']);
    expect(ids({ text: ' BLOCKS pap' })).toEqual(['paper']);
    expect(ids({ text: 'chat' })).toEqual(['bot']);
    expect(ids({ text: 'nothing' })).toEqual([]);
  });
  it('is narrowed by CPU, memory and origin', () => {
    expect(ids({ runs: true })).toEqual(['paper', 'bot']);
    expect(ids({ memory: 4 * 2 ** 30 })).toEqual(['paper', 'bot']);
    expect(ids({ origin: 'builtin' })).toEqual(['paper']);
    expect(ids({ origin: 'added', runs: true })).toEqual(['bot']);
  });
});
