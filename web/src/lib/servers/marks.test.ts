import { expect, it } from 'vitest';
import { games as words } from '../i18n/en/games';
import { gameOf, groundOf, markOf } from './marks';

it('a game looks the same on every server', () => {
  expect(gameOf({ templateId: 'terraria', image: 'a:1' })).toBe('terraria');
  expect(gameOf({ templateId: 'any-image', image: 'docker.io/a/b:2' })).toBe('docker.io/a/b');
  expect(gameOf({ image: 'host:5000/a/b@sha256:00' })).toBe('host:5000/a/b');
  expect(groundOf('host/a')).toEqual(groundOf('host/a'));
});

it('every game of the gallery has a mark', () => {
  const games = Object.keys(words.about).filter((id) => id !== 'any-image');
  expect(games.length).toBeGreaterThan(30);
  for (const game of games) expect(markOf(game), game).toMatch(/^M/);
  expect(new Set(games.map(markOf)).size).toBe(games.length);
  expect(markOf('something')).toBeNull();
});
