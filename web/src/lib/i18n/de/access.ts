import type { access as English } from '../en/access';

export const access: typeof English = {
  title: 'Zugriff',
  kinds: {
    view: {
      label: 'Ansehen',
      text: 'Zustand, Adresse und Auslastung sehen.'
    },
    console: {
      label: 'Konsole',
      text: 'Konsole lesen und Befehle eingeben.'
    },
    power: {
      label: 'Ein/Aus',
      text: 'Starten, stoppen, neu starten und Beenden erzwingen.'
    },
    players: {
      label: 'Spieler',
      text: 'Spieler hinauswerfen und sperren, Operatoren ernennen, allen im Spiel etwas sagen.'
    },
    files_read: {
      label: 'Dateien sehen',
      text: 'Dateien sehen und herunterladen.'
    },
    files: {
      label: 'Dateien',
      text: 'Dateien anlegen, ändern, hochladen und löschen.'
    },
    backups: {
      label: 'Backups',
      text: 'Seine Backups sehen, anlegen, wiederherstellen und löschen.'
    },
    schedules: {
      label: 'Zeitpläne',
      text: 'Zeitpläne sehen, ändern und ausführen. Sie tun nichts, was ihr Verfasser nicht darf.'
    },
    startup: {
      label: 'Start',
      text: 'Umbenennen und die Einstellungen des Spiels ändern. Passwörter lassen sich ersetzen, nicht lesen.'
    },
    configure: {
      label: 'Konfigurieren',
      text: 'Image, Grenzen, Ports, Startbefehl und alle Variablen ändern und die Passwörter darunter lesen.'
    }
  },
  notChanged: (name) => `Berechtigungen von ${name} nicht geändert`,
  about: 'Wer mit diesem Server was tun darf. Admins dürfen auf jedem Server alles. Änderungen gelten sofort.',
  onlyAdmins: 'Bisher gibt es nur Admins.',
  addUser: 'Füge einen Benutzer hinzu',
  thenShare: ', dann gib diesen Server hier frei.',
  included: (by) => `In „${by}“ enthalten`,
  explain: 'Was jede Berechtigung erlaubt'
};
