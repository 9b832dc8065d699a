import { describe, expect, it } from 'vitest';
import type { Node, Template } from '../types';
import { AUTO, firstChoice, nodeChoices } from './placement';

const GB = 2 ** 30;
const node = (id: string, more: Partial<Node> = {}): Node => ({ id, name: id, online: true, local: id === 'local', capabilities: [], servers: 0, promisedMemory: 0, draining: false, limited: false, revision: '1', ...more });
const system = (memory: number) => ({ os: 'linux', arch: 'arm64', networks: {}, memory });

describe('where a server goes', () => {
  it('is said with what speaks against it', () => {
    const template = { architectures: ['amd64'], runs: { arm: false } } as unknown as Template;
    const list = [node('local', { system: system(8 * GB), promisedMemory: 3 * GB }), node('away', { online: false }), node('full', { draining: true }), node('arm', { system: system(GB) })];
    expect(nodeChoices(list, template).map(({ note, reason }) => [note, reason !== null])).toEqual([
      ['5 GB not reserved', false],
      ['offline', false],
      ['paused for new servers', true],
      ['Needs Intel/AMD (amd64); this machine is 64-bit ARM (arm64)', true]
    ]);
  });

  it('is where there is room as soon as there is a choice', () => {
    expect(firstChoice([node('local')], null)).toBe('local');
    expect(firstChoice([node('local'), node('b')], null)).toBe(AUTO);
    expect(firstChoice([node('local'), node('b')], 'b')).toBe('b');
    expect(firstChoice([node('local'), node('b')], 'gone')).toBe(AUTO);
  });
});
