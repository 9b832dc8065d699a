import type { causes as English } from '../en/causes';

export const causes: typeof English = {
  looking: 'Die letzten Zeilen werden gelesen …',
  titles: {
    eula: 'Die Lizenz des Spiels wurde nicht akzeptiert',
    memory: 'Zu wenig Arbeitsspeicher',
    java: 'Falsche Java-Version',
    port: 'Port belegt',
    architecture: 'Für eine andere CPU gemacht',
    disk: 'Der Datenträger ist voll',
    imageMissing: 'Dieses Image gibt es nicht',
    imageDenied: 'Das Image braucht eine Anmeldung oder existiert nicht',
    registryLimit: 'Die Registry erlaubt vorerst keine weiteren Downloads',
    registryAway: 'Die Registry ist nicht erreichbar',
    file: 'Eine Datei fehlt',
    permission: 'Zugriff verweigert'
  },
  helps: {
    eula: 'Akzeptiere sie und starte neu.',
    memory: 'Gib ihm mehr Arbeitsspeicher.',
    java: 'Wähle ein Image mit der Java-Version, die das Spiel braucht.',
    port: 'Ein anderes Programm hat diesen Port. Beende es oder wähle einen anderen Port.',
    architecture: 'Wähle ein Image oder Programm für die CPU dieser Maschine.',
    disk: 'Schaffe Platz auf dem Node und starte neu.',
    imageMissing: 'Prüfe Namen und Version des Images.',
    imageDenied: 'Prüfe den Namen des Images. Private Images lassen sich ohne Anmeldung nicht laden.',
    registryLimit: 'Warte eine Weile und versuche es dann erneut.',
    registryAway: 'Prüfe die Internetverbindung dieser Maschine und versuche es erneut.',
    file: 'Prüfe den Startbefehl, und ob die Datei im Ordner des Servers liegt.',
    permission: 'Das Spiel darf diese Datei nicht benutzen. Prüfe, wem sie gehört und ob sie ausführbar ist.'
  },
  javaNeeded: (version) => `Java ${version}`,
  moreMemory: (size) => `${size} geben`,
  acceptEula: 'Akzeptieren und starten',
  acceptWhat: 'Ich akzeptiere:',
  eulaFile: 'Öffne eula.txt im Ordner des Servers, setze eula=true und starte neu.',
  toSettings: 'Einstellungen öffnen',
  toStartup: 'Start öffnen',
  dontRestart: 'Nicht neu starten'
};
