import { expect, it } from 'vitest';
import { gameOf, groundOf, markOf } from './marks';

it('a game looks the same on every server', () => {
  expect(gameOf({ templateId: 'terraria', image: 'a:1' })).toBe('terraria');
  expect(gameOf({ templateId: 'any-image', image: 'docker.io/a/b:2' })).toBe('docker.io/a/b');
  expect(gameOf({ image: 'host:5000/a/b@sha256:00' })).toBe('host:5000/a/b');
  expect(groundOf('host/a')).toEqual(groundOf('host/a'));
});

it('every game of the gallery has a mark', () => {
  for (const game of ['factorio', 'luanti', 'minecraft-paper', 'minecraft-vanilla', 'minecraft-bedrock', 'openarena', 'openttd', 'teeworlds', 'terraria', 'valheim']) expect(markOf(game), game).toMatch(/^M/);
  expect(markOf('something')).toBeNull();
});
