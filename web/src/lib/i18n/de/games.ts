import type { games as English } from '../en/games';

export const games: typeof English = {
  about: {
    'any-image': 'Beliebiges Container-Image, so ausgeführt, wie es gemacht ist.',
    factorio: 'Baut und betreibt gemeinsam eine Fabrik, auf dem offiziellen Headless-Server.',
    luanti: 'Das freie Voxel-Spiel (früher Minetest) mit jedem Spiel aus seiner Datenbank.',
    'minecraft-paper': 'Der verbreitetste Server für die Java Edition: schnell, mit Bukkit-, Spigot- und Paper-Plugins.',
    'minecraft-vanilla': 'Mojangs eigener Server für die Java Edition, genau wie ausgeliefert.',
    'minecraft-bedrock': 'Mojangs Server für die Bedrock Edition: Konsolen, Handys und Windows aus dem Store.',
    openarena: 'Ein schneller, freier Arena-Shooter im Stil von Quake III.',
    openttd: 'Züge, Lastwagen, Schiffe und Flugzeuge: der freie Transport-Tycoon, eine Firma für jeden.',
    teeworlds: 'Ein schneller 2D-Shooter mit kleinen runden Figuren, für jeden Rechner.',
    terraria: 'Der offizielle Terraria-Server: gemeinsam graben, bauen und kämpfen.',
    valheim: 'Eine Wikingerwelt für dich und deine Freunde, gespeichert auf deinem eigenen Rechner.'
  },
  variables: {
    MAX_PLAYERS: { label: 'Max. Spieler', hint: 'Wie viele gleichzeitig spielen dürfen.' },
    'factorio.MAX_PLAYERS': { label: 'Max. Spieler', hint: '0 für unbegrenzt. Wird beim ersten Start gesetzt.' },
    SERVER_NAME: { label: 'Name im Spiel', hint: 'Wird Spielern in der Serverliste des Spiels gezeigt.' },
    MOTD: { label: 'Nachricht des Tages (MOTD)', hint: 'Steht unter dem Namen in der Serverliste des Spiels.' },
    SEED: { label: 'Welt-Seed', hint: 'Leer lassen für zufällig. Gilt für eine neue Welt.' },
    LEVEL_SEED: { label: 'Welt-Seed', hint: 'Leer lassen für zufällig. Gilt für eine neue Welt.' },
    PASSWORD: { label: 'Passwort zum Beitreten', hint: 'Leer lassen, damit alle beitreten können.' },
    'valheim.PASSWORD': { label: 'Passwort zum Beitreten', hint: 'Mindestens 5 Zeichen und kein Teil des Namens: Das verlangt das Spiel.' },
    DIFFICULTY: { label: 'Schwierigkeit', hint: 'Wie gefährlich die Welt ist.', choices: { peaceful: 'Friedlich', easy: 'Einfach', normal: 'Normal', hard: 'Schwer' } },
    'terraria.DIFFICULTY': { label: 'Schwierigkeit', hint: 'Für eine neue Welt.', choices: { '0': 'Klassisch', '1': 'Experte', '2': 'Meister', '3': 'Reise' } },
    WORLD_SIZE: { label: 'Weltgröße', hint: 'Für eine neue Welt.', choices: { '1': 'Klein', '2': 'Mittel', '3': 'Groß' } },
    MODE: { label: 'Spielmodus', hint: 'Für Spieler, die zum ersten Mal beitreten.', choices: { survival: 'Überleben', creative: 'Kreativ', adventure: 'Abenteuer', spectator: 'Zuschauer' } },
    GAMEMODE: { label: 'Spielmodus', hint: 'Für Spieler, die zum ersten Mal beitreten.', choices: { survival: 'Überleben', creative: 'Kreativ', adventure: 'Abenteuer' } },
    OPS: { label: 'Operatoren', hint: 'Spielernamen, durch Kommas getrennt.' },
    VIEW_DISTANCE: { label: 'Sichtweite', hint: 'In Chunks; weniger passt zu kleinen Rechnern.' },
    VERSION: { label: 'Version', hint: 'LATEST oder eine Versionsnummer wie 1.21.4.' },
    LEVEL_NAME: { label: 'Name der Welt', hint: 'Ihr Ordner in „worlds“.' },
    WORLD_NAME: { label: 'Name der Welt', hint: 'Der Name ihrer Datei.' },
    ALLOW_CHEATS: { label: 'Cheats erlauben', hint: 'Spieler dürfen Befehle benutzen.' },
    PUBLIC: { label: 'Öffentlich gelistet', hint: 'Zeigt ihn in der öffentlichen Serverliste des Spiels.' },
    'luanti.GAME': { label: 'Spiel', hint: 'AUTOR/NAME wie in seiner Adresse auf content.luanti.org. Jedes Spiel hat seine eigene Welt.' },
    ADMIN: { label: 'Administrator', hint: 'Name eines Spielers. Wird beim ersten Start gesetzt.' },
    OA_STARTMAP: { label: 'Erste Karte', hint: 'Die Karte, mit der es beginnt, zum Beispiel oa_dm1.' },
    TEEWORLDS_VERSION: { label: 'Version', hint: 'Die Versionsnummer der Veröffentlichung.' },
    TERRARIA_VERSION: { label: 'Version', hint: 'Ohne Punkte: 1449 ist 1.4.4.9. Spieler brauchen dieselbe Version.' },
    MAP: { label: 'Karte', hint: 'Zum Beispiel dm1, ctf5 oder lms1.' },
    GAME_TYPE: { label: 'Spielart', hint: 'Wie ein Spiel abläuft.', choices: { dm: 'Deathmatch', tdm: 'Team-Deathmatch', ctf: 'Flaggenraub', lms: 'Last Man Standing', lts: 'Last Team Standing' } }
  }
};
