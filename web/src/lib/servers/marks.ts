/** Our own marks for the games of the gallery, each drawn in lines on a ground of 24 by 24. */

const CUBE = 'M12 3 4 7.5v9L12 21l8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9';

const MARKS: Record<string, string> = {
  'minecraft-paper': `${CUBE}M7 10.6v2.2M9.4 15.4v1.9M16 9.8v2`,
  'minecraft-vanilla': CUBE,
  'minecraft-bedrock': `${CUBE}M15 16.8l3-1.7M8 5.2l8 4.5`,
  luanti: 'M3 19 9.5 7.5l4 7L15.5 11 21 19zM7.6 10.9l1.9 1.6 1.9-1.6M17.5 4.5a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3z',
  factorio: 'M12 8.6a3.4 3.4 0 1 1 0 6.8 3.4 3.4 0 0 1 0-6.8zM10.6 3h2.8l.5 2.5 2 .9 2.2-1.4 1.9 2-1.4 2.1.8 2 2.6.5v2.8l-2.6.5-.8 2 1.4 2.1-1.9 2-2.2-1.4-2 .9-.5 2.5h-2.8l-.5-2.5-2-.9L5.9 21 4 19l1.4-2.1-.8-2L2 14.4v-2.8l2.6-.5.8-2L4 7l1.9-2 2.2 1.4 2-.9z',
  openarena: 'M12 5a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM12 2v6M12 16v6M2 12h6M16 12h6',
  openttd: 'M7 3.5h10a2 2 0 0 1 2 2v9a3 3 0 0 1-3 3H8a3 3 0 0 1-3-3v-9a2 2 0 0 1 2-2zM5 10.5h14M8.5 14h.01M15.5 14h.01M8 17.5 5.5 21M16 17.5l2.5 3.5M7 19.5h10',
  teeworlds: 'M12 4a7.5 7.5 0 1 1 0 15 7.5 7.5 0 0 1 0-15zM10.5 9v3M15 9v3M6 18.2C4.6 19 4 20 4.5 20.6c.7.9 3.6.6 6.5-.6M18 18.2c1.4.8 2 1.8 1.5 2.4-.7.9-3.6.6-6.5-.6',
  terraria: 'M12 21v-8M12 16l-3-2.4M12 14.6l3.4-2.6M12 3a4 4 0 0 1 3.9 3.1A3.8 3.8 0 0 1 16 13.5c-1.600 0-2.600-.7-4-.7s-2.400.7-4 .7a3.800 3.800 0 0 1 .1-7.400A4 4 0 0 1 12 3zM7 21h10',
  valheim: 'M12 3c3 1.500 5.500 2 8 2 0 7-2.200 12.500-8 16C6.200 17.500 4 12 4 5c2.500 0 5-.5 8-2zM12 3v18M4.600 11h14.800'
};

/** The path of a game's mark; null for games that are not in the gallery. */
export const markOf = (game: string): string | null => MARKS[game] ?? null;

/** Each pair is dark enough for what is white on it. */
const GROUNDS = [
  ['#3f7d4f', '#2a5636'],
  ['#4a6d8c', '#2c445c'],
  ['#8a6432', '#5e4625'],
  ['#8c4a4a', '#5a2c2c'],
  ['#6a4a8c', '#432c5a'],
  ['#2f7676', '#1f4f50'],
  ['#86476f', '#57294a'],
  ['#5a63c6', '#383f8c']
] as const;

/** So that no two games of the gallery that stand side by side look alike. */
const OWN: Record<string, number> = {
  'minecraft-paper': 0,
  'minecraft-vanilla': 0,
  'minecraft-bedrock': 5,
  luanti: 1,
  factorio: 2,
  openarena: 3,
  openttd: 7,
  teeworlds: 6,
  terraria: 4,
  valheim: 1
};

/** The same for every server of a game. */
export function groundOf(game: string): readonly [string, string] {
  const at = OWN[game] ?? [...game].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7) % GROUNDS.length;
  return GROUNDS[at] ?? GROUNDS[0];
}

/** What a server is a server of: its template, else its image without the version. */
export const gameOf = (server: { templateId?: string | null; image: string }): string =>
  server.templateId && server.templateId !== 'any-image' ? server.templateId : server.image.replace(/(@sha256:.*|:[^/:]*)$/, '');
