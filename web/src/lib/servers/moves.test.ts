import { describe, expect, it } from 'vitest';
import type { Move, Node, Server } from '../types';
import { isMoving, left, obstacle, targets, words } from './moves';

const node = (id: string, more: Partial<Node> = {}) =>
  ({ id, name: id, online: true, capabilities: ['docker', 'transfer'], draining: false, ...more }) as Node;
const move = (more: Partial<Move> = {}) =>
  ({ from: 'a', to: 'b', step: 'copying', bytes: 50, total: 100, runs: true, startedAt: '', cancellable: true, ...more }) as Move;

describe('moves', () => {
  it('says why a node can not take a server', () => {
    expect(obstacle(node('b'))).toBe('');
    expect(obstacle(node('b', { online: false }))).toBe('offline');
    expect(obstacle(node('b', { capabilities: ['docker'] }))).toContain('agent');
    expect(obstacle(node('b', { engine: { available: false } }))).toContain('Docker');
    expect(obstacle(node('b', { draining: true }))).toContain('paused');
  });

  it('offers the other nodes, those that can first', () => {
    const server = { nodeId: 'a' } as Server;
    const all = [node('a'), node('b', { online: false }), node('d'), node('c')];
    expect(targets(server, all).map((target) => target.node.id)).toEqual(['c', 'd', 'b']);
  });

  it('knows what is over and how long the rest takes', () => {
    expect(isMoving(undefined)).toBe(false);
    expect(isMoving(move())).toBe(true);
    expect(isMoving(move({ step: 'failed' }))).toBe(false);
    expect(words('copying')).toContain('data');
    expect(left(move({ rate: 10 }))).toBe('5 s left');
    expect(left(move())).toBe('');
  });
});
