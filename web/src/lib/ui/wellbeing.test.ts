import { describe, expect, it } from 'vitest';
import type { Node } from '../types';
import { wellbeing } from './wellbeing';

const node = (more: Partial<Node> = {}) => ({ id: 'local', name: 'Box', online: true, local: true, capabilities: [], servers: 0, promisedMemory: 0, draining: false, limited: false, lastSeen: '2026-01-01T00:00:00Z', ...more }) as Node;
const of = (more: Partial<Parameters<typeof wellbeing>[0]> = {}) => wellbeing({ connected: true, nodes: [node()], findings: 0, ...more });

describe('all is well', () => {
  it('when nothing is wrong anywhere', () => expect(of()).toMatchObject({ tone: 'ok', text: 'all well' }));
  it('not while the connection is lost', () => expect(of({ connected: false })).toMatchObject({ tone: 'off', text: 'not connected' }));
  it('not while any node is offline', () => {
    expect(of({ nodes: [node(), node({ id: 'attic', local: false, online: false })] })).toMatchObject({ tone: 'bad', text: '1 node offline' });
    expect(of({ nodes: [node(), node({ id: 'attic', local: false, online: false, lastSeen: undefined })] }).tone).toBe('ok');
  });
  it('not while a node has a problem or differs', () => {
    expect(of({ nodes: [node({ problems: [{ code: 'x', message: 'm', hint: 'h' }] })] }).tone).toBe('warn');
    expect(of({ nodes: [node({ engine: { available: false } })] }).tone).toBe('warn');
  });
  it('not while the check-up found something', () => expect(of({ findings: 2 })).toEqual({ tone: 'warn', text: '2 findings', path: '/settings' }));
});
