import { describe, expect, it } from 'vitest';
import type { NodeUpgrade, Upgrade } from '../types';
import { notice, progress, ready, standing } from './labels';

const node = (more: Partial<NodeUpgrade> = {}): NodeUpgrade => ({ id: 'attic', name: 'Attic', version: '0.1.0', older: true, can: true, ...more });
const view = (more: Partial<Upgrade> = {}): Upgrade => ({ current: '0.1.9', checks: true, how: 'here', nodesRunning: false, nodes: [], ...more });

describe('an upgrade', () => {
  it('has a percentage only while something comes whose size is known', () => {
    expect(progress({ version: '0.2.0', step: 'downloading', done: 1, total: 4 })).toEqual({ text: '0.2.0: Downloading', percent: 25 });
    expect(progress({ version: '0.2.0', step: 'downloading', done: 1, total: 0 }).percent).toBeUndefined();
    expect(progress({ version: '0.2.0', step: 'trying', done: 4, total: 4 }).percent).toBeUndefined();
  });

  it('is worth a notice where somebody has to do something', () => {
    expect(notice(null)).toBe('');
    expect(notice(view())).toBe('');
    expect(notice(view({ available: { version: '0.2.0' } }))).toContain('0.2.0');
    expect(notice(view({ nodesFailure: 'attic: …' }))).not.toBe('');
  });
});

describe('a node', () => {
  it('says what goes on before how it stands', () => {
    expect(standing(node()).label).toBe('Older than the panel');
    expect(standing(node({ step: 'sending' }))).toEqual({ tone: 'info', label: 'Sending the program', busy: true });
    expect(standing(node({ step: 'failed' })).tone).toBe('bad');
    expect(standing(node({ older: false, step: 'done' })).label).toBe('Upgraded');
    expect(standing(node({ older: true, step: 'done' })).label).toBe('Older than the panel');
    expect(standing(node({ older: false })).label).toBe('Up to date');
    expect(standing(node({ older: false, version: undefined })).tone).toBe('off');
  });

  it('is upgraded from here only where that is possible', () => {
    expect(ready(view({ nodes: [node(), node({ id: 'b', can: false })] })).map(({ id }) => id)).toEqual(['attic']);
  });
});
