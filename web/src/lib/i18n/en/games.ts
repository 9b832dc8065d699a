/** Settings of a game, as people call them. */
interface Words {
  label: string;
  hint: string;
  /** What its values mean. */
  choices?: Record<string, string>;
}

export const games = {
  /** Of the games in the gallery, by their template. */
  about: {
    'any-image': 'Any container image, run the way it is made.',
    factorio: 'Build and run a factory together, on the official headless server.',
    luanti: 'The free voxel game (formerly Minetest) with any game from its content database.',
    'minecraft-paper': 'The most common server for Java Edition: fast, with Bukkit, Spigot and Paper plugins.',
    'minecraft-vanilla': 'Mojang’s own server for Java Edition, exactly as shipped.',
    'minecraft-bedrock': 'Mojang’s server for Bedrock Edition: consoles, phones, and Windows from the store.',
    openarena: 'A fast, free arena shooter in the style of Quake III.',
    openttd: 'Trains, trucks, ships and planes: the free transport tycoon, a company for each player.',
    teeworlds: 'A quick 2D shooter with small round characters, for any machine.',
    terraria: 'The official Terraria server: dig, build and fight together.',
    valheim: 'A Viking world for you and your friends, saved on your own machine.'
  } as Record<string, string>,
  /** By the variable's name, or by template and name where a game means something else by it. */
  variables: {
    MAX_PLAYERS: { label: 'Max players', hint: 'How many may play at once.' },
    'factorio.MAX_PLAYERS': { label: 'Max players', hint: '0 for no limit. Set at the first start.' },
    SERVER_NAME: { label: 'Name in the game', hint: 'Shown to players in the game’s server list.' },
    MOTD: { label: 'Message of the day (MOTD)', hint: 'Shown below the name in the game’s server list.' },
    SEED: { label: 'World seed', hint: 'Leave empty for random. Used for a new world.' },
    LEVEL_SEED: { label: 'World seed', hint: 'Leave empty for random. Used for a new world.' },
    PASSWORD: { label: 'Password to join', hint: 'Leave empty to let anybody join.' },
    'valheim.PASSWORD': { label: 'Password to join', hint: 'At least 5 characters, and not part of the name: the game insists.' },
    DIFFICULTY: { label: 'Difficulty', hint: 'How dangerous the world is.', choices: { peaceful: 'Peaceful', easy: 'Easy', normal: 'Normal', hard: 'Hard' } },
    'terraria.DIFFICULTY': { label: 'Difficulty', hint: 'Of a new world.', choices: { '0': 'Classic', '1': 'Expert', '2': 'Master', '3': 'Journey' } },
    WORLD_SIZE: { label: 'World size', hint: 'Of a new world.', choices: { '1': 'Small', '2': 'Medium', '3': 'Large' } },
    MODE: { label: 'Game mode', hint: 'For players who join for the first time.', choices: { survival: 'Survival', creative: 'Creative', adventure: 'Adventure', spectator: 'Spectator' } },
    GAMEMODE: { label: 'Game mode', hint: 'For players who join for the first time.', choices: { survival: 'Survival', creative: 'Creative', adventure: 'Adventure' } },
    OPS: { label: 'Operators', hint: 'Player names, separated by commas.' },
    VIEW_DISTANCE: { label: 'View distance', hint: 'In chunks; less suits a small machine.' },
    VERSION: { label: 'Version', hint: 'LATEST, or a version number such as 1.21.4.' },
    LEVEL_NAME: { label: 'World name', hint: 'Its folder inside “worlds”.' },
    WORLD_NAME: { label: 'World name', hint: 'The name of its file.' },
    ALLOW_CHEATS: { label: 'Allow cheats', hint: 'Lets players use commands.' },
    PUBLIC: { label: 'Listed publicly', hint: 'Shows it in the game’s public server list.' },
    'luanti.GAME': { label: 'Game', hint: 'AUTHOR/NAME as in its address on content.luanti.org. Each game has its own world.' },
    ADMIN: { label: 'Administrator', hint: 'A player’s name. Set at the first start.' },
    OA_STARTMAP: { label: 'First map', hint: 'The map it starts with, such as oa_dm1.' },
    TEEWORLDS_VERSION: { label: 'Version', hint: 'The release’s version number.' },
    TERRARIA_VERSION: { label: 'Version', hint: 'Without dots: 1449 is 1.4.4.9. Players need the same version.' },
    MAP: { label: 'Map', hint: 'Such as dm1, ctf5 or lms1.' },
    GAME_TYPE: { label: 'Game type', hint: 'How a match is played.', choices: { dm: 'Deathmatch', tdm: 'Team deathmatch', ctf: 'Capture the flag', lms: 'Last man standing', lts: 'Last team standing' } }
  } as Record<string, Words>
};
