import { describe, expect, it } from 'vitest';
import type { Node } from '../types';
import { facts, health, idFrom, idProblem, marks, skew, unpromised } from './labels';

const node = (more: Partial<Node> = {}): Node => ({
  id: 'attic',
  name: 'Attic',
  online: true,
  local: false,
  capabilities: [],
  servers: 0,
  promisedMemory: 0,
  draining: false,
  revision: '1',
  limited: false,
  ...more
});

describe('a node’s state', () => {
  it('says what is wrong first', () => {
    expect(health(node()).label).toBe('Online');
    expect(health(node({ online: false })).label).toBe('Waiting for its agent');
    expect(health(node({ online: false, lastSeen: '2026-01-01T00:00:00Z' }))).toEqual({ tone: 'bad', label: 'Offline' });
    expect(health(node({ problems: [{ code: 'x', message: 'm', hint: 'h' }] })).tone).toBe('warn');
    const difference = { serverId: 'a', kind: 'missing', detail: 'd', actions: [] } as const;
    expect(health(node({ differences: [{ ...difference, actions: [] }] })).tone).toBe('warn');
    expect(health(node({ engine: { available: false } })).tone).toBe('warn');
  });

  it('marks what is special', () => {
    expect(marks(node())).toEqual([]);
    expect(marks(node({ draining: true, limited: true, secret: { kind: 'revoked' } })).map((mark) => mark.label)).toEqual(['Paused for new servers', 'Limited', 'Secret revoked']);
  });

  it('tells of the link only what is known', () => {
    const of = (more: Partial<Node>) => Object.fromEntries(facts(node(more), 0));
    expect(of({})).toEqual({});
    expect(of({ latencyMs: 3.25, clockSkewMs: -7_200_000, secure: true, encoding: 'msgpack' })).toEqual({
      Connection: 'encrypted (TLS), msgpack',
      Latency: '3.3 ms',
      Clock: '2 h behind'
    });
    expect(of({ online: false, latencyMs: 3 })).toEqual({ 'Last seen': 'never' });
    expect(skew(45_000)).toBe('45 s ahead');
  });

  it('counts what is promised to nobody', () => {
    expect(unpromised(node())).toBeNull();
    expect(unpromised(node({ promisedMemory: 3, system: { os: '', arch: '', networks: {}, memory: 10 } }))).toBe(7);
  });
});

describe('ids', () => {
  it('come out of names', () => {
    expect(idFrom('Attic Pi')).toBe('attic-pi');
    expect(idFrom('  Große Kiste! ')).toBe('gro-e-kiste');
    expect(idFrom('Élan #2')).toBe('elan-2');
    expect(idFrom('---')).toBe('');
  });

  it('are checked as the panel does', () => {
    expect(idProblem('attic-pi', [])).toBeNull();
    for (const bad of ['', '-a', 'a b', 'auto', 'local', 'x'.repeat(65)]) expect(idProblem(bad, [])).not.toBeNull();
    expect(idProblem('attic', ['attic'])).toBe('That ID is already taken.');
  });
});
