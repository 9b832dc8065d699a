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
  valheim: 'M12 3c3 1.5 5.5 2 8 2 0 7-2.200 12.5-8 16C6.200 17.5 4 12 4 5c2.5 0 5-.5 8-2zM12 3v18M4.600 11h14.800',
  'minecraft-fabric': `${CUBE}M6.5 9.8l3.5 2M6.5 13l3.5 2M14 11.8l3.5-2M14 15l3.5-2`,
  'minecraft-forge': `${CUBE}M14.5 12.6h3.4M16.2 12.6v3M14.8 15.6h2.8`,
  'minecraft-neoforge': `${CUBE}M7 11v4l3-1.5v-1M16 10.5v3.5`,
  'minecraft-velocity': 'M4 8h10M4 12h7M4 16h10M14 5l6 7-6 7z',
  palworld: 'M12 11.5c3 0 5.5 3 5.5 5.3S15.5 20 12 20s-5.5-.9-5.5-3.2 2.5-5.3 5.5-5.3zM5 9.5a1.5 2 0 1 1 0 3 1.5 2 0 1 1 0-3zM9.3 4.5a1.5 2 0 1 1 0 4 1.5 2 0 1 1 0-4zM14.7 4.5a1.5 2 0 1 1 0 4 1.5 2 0 1 1 0-4zM19 9.5a1.5 2 0 1 1 0 3 1.5 2 0 1 1 0-3z',
  rust: 'M14.5 3.5a4.5 4.5 0 0 1 5 6l-2.8-2.8-2.4 2.4 2.8 2.8a4.5 4.5 0 0 1-6-5.6L4 13.5 3.5 20.5 10.5 20l6-6',
  satisfactory: 'M3 20V11l5 3v-3l5 3V5h4v15zM3 20h18M17 5c2 0 2-2 4-2M7 17h2M12 17h2',
  'ark-survival-ascended': 'M3 16c2-6 6-9 11-9l6-2-1.5 5.5 2 3-5.5.5-3 4H7zM15.5 9.5h.01M9 18l-1 3M13 17l1 4',
  'project-zomboid': 'M6 21v-5l-2-3 1-7 5-3h4l5 3 1 7-2 3v5M9 11h.01M15 11h.01M9 16l1.5-1 1.5 1 1.5-1 1.5 1',
  'seven-days-to-die': 'M6 4h12l-6 16M8.5 11h7M4 20h5M15 20h5',
  enshrouded: 'M12 3l6 5v6l-6 7-6-7V8zM3 12c2-1 3 1 5 0s3 1 5 0 3 1 5 0 2 .5 3 0',
  'v-rising': 'M12 13C10 8 6 7 3 8c2 1 2 3 2 5 2-1 3 0 4 3l3 4 3-4c1-3 2-4 4-3 0-2 0-4 2-5-3-1-7 0-9 5zM11 7l1 1.5L13 7',
  'counter-strike-2': 'M12 5a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM12 8v2.5M12 13.5V16M8 12h2.5M13.5 12H16M12 12h.01',
  'garrys-mod': 'M4 6h16v12H4zM8 12h4v3M16 9v6M8 9h4',
  'team-fortress-2': 'M6 21V4l7 2.5L6 9.5M13 21v-8l6 2.2-6 2.6M4 21h4M11 21h4',
  'left-4-dead-2': 'M8 21v-9M8 12V6a1.5 1.5 0 0 1 3 0v5M11 11V4.5a1.5 1.5 0 0 1 3 0V11M14 11V6a1.5 1.5 0 0 1 3 0v9c0 3-1.5 5-3 6M8 14l-2.5-2a1.5 1.5 0 0 0-2 2.200L8 19',
  'sons-of-the-forest': 'M12 3l5 7h-3l4 6H6l4-6H7zM12 16v5M4 21h16',
  'vintage-story': 'M6 3h12M6 21h12M7 3c0 5 5 6 5 9s-5 4-5 9M17 3c0 5-5 6-5 9s5 4 5 9M9.5 18h5',
  'dont-starve-together': 'M12 21c-4 0-6-2.5-6-5.5 0-4 4-5 4-9 2 1 3 2.5 3 4.5 1-.5 1.5-1.5 1.5-2.5 2 1.5 3.5 4 3.5 7 0 3-2 5.5-6 5.5zM5 21h14',
  'core-keeper': 'M12 4l6 4v8l-6 4-6-4V8zM12 8l3 2v4l-3 2-3-2v-4zM12 4v4M12 16v4M6 8l3 2M18 8l-3 2',
  'abiotic-factor': 'M9 3h6M10 3v6l-5 9a2 2 0 0 0 2 3h10a2 2 0 0 0 2-3l-5-9V3M7.5 15h9M11 18h.01M14 17.5h.01',
  unturned: 'M5 5h14v14H5zM9 10h.01M15 10h.01M9 15h6',
  barotrauma: 'M4 13c0-3 3-5 8-5s8 2 8 5-3 5-8 5-8-2-8-5zM11 8V5h3M20 13l2-3v6zM8 13h.01M12 13h.01M16 13h.01',
  'terraria-tshock': 'M12 21v-8M12 3a4 4 0 0 1 3.9 3.1A3.8 3.8 0 0 1 16 13.5H8a3.8 3.8 0 0 1 .1-7.4A4 4 0 0 1 12 3zM7 21h10M12.5 6l-2 3h3l-2 3',
  mumble: 'M4 14v-2a8 8 0 0 1 16 0v2M4 14h3v6H5a1 1 0 0 1-1-1zM20 14h-3v6h2a1 1 0 0 0 1-1zM10 12v3M12 11v5M14 12v3'
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
  valheim: 1,
  palworld: 5,
  rust: 2,
  satisfactory: 2,
  'ark-survival-ascended': 0,
  'counter-strike-2': 7,
  'project-zomboid': 3,
  'minecraft-fabric': 1,
  'minecraft-forge': 3,
  'minecraft-neoforge': 2,
  'minecraft-velocity': 7,
  'seven-days-to-die': 4,
  'garrys-mod': 7,
  enshrouded: 5,
  'v-rising': 4,
  'left-4-dead-2': 1,
  'sons-of-the-forest': 0,
  'vintage-story': 2,
  'dont-starve-together': 2,
  'core-keeper': 6,
  'abiotic-factor': 5,
  'team-fortress-2': 3,
  'terraria-tshock': 0,
  unturned: 0,
  barotrauma: 1,
  mumble: 0
};

/** The same for every server of a game. */
export function groundOf(game: string): readonly [string, string] {
  const at = OWN[game] ?? [...game].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7) % GROUNDS.length;
  return GROUNDS[at] ?? GROUNDS[0];
}

/** What a server is a server of: its template, else its image without the version. */
export const gameOf = (server: { templateId?: string | null; image: string }): string =>
  server.templateId && server.templateId !== 'any-image' ? server.templateId : server.image.replace(/(@sha256:.*|:[^/:]*)$/, '');
