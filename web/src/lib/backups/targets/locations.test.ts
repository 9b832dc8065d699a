import { expect, test } from 'vitest';
import type { BackupTarget } from '../../types';
import { address, draftOf, empty, KINDS, locationOf } from './locations';

test('only the fields of its kind are sent, and no empty secret', () => {
  const draft = { ...empty(), kind: 'rest' as const, url: 'https://nas', user: 'me', path: '/left/over' };
  expect(locationOf(draft)).toEqual({ kind: 'rest', url: 'https://nas', user: 'me', password: null });
  expect(locationOf({ ...draft, password: 'x' })).toMatchObject({ password: 'x' });
  for (const kind of KINDS) expect(locationOf({ ...empty(), kind }).kind).toBe(kind);
});

test('a target is named by its address, without secrets', () => {
  const target = { location: { kind: 'sftp', host: 'nas', port: 2222, user: 'me', path: 'games', byKey: true } } as unknown as BackupTarget;
  expect(address(target)).toBe('me@nas:2222:games');
  expect(draftOf(target)).toMatchObject({ host: 'nas', password: '', privateKey: '' });
});
