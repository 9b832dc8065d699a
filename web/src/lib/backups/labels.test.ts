import { expect, test } from 'vitest';
import { going } from './labels';
import type { Backup } from '../types';

const backup = (more: Partial<Backup>): Backup => ({
  id: 'b', name: 'One', note: '', status: 'creating', size: 0, stored: 0, files: 0, changedFiles: 0, servers: 0, changedNames: [],
  createdAt: '2026-01-02T03:04:05Z', locked: false, origin: 'manual', nodeId: 'local', target: 'node', testing: false, ...more
});

test('a backup says how far it is, and how long that will take', () => {
  const half = going(backup({ progress: { bytes: 50 << 20, total: 100 << 20, rate: 10 << 20 } }));
  expect(half.percent).toBe(50);
  expect(half.detail).toContain('5 s');
  expect(going(backup({})).percent).toBeUndefined();
});

test('more bytes than there were at first are no more than all', () => {
  expect(going(backup({ progress: { bytes: 200, total: 100, rate: 0 } })).percent).toBe(100);
});
