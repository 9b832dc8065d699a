import type { startup as English } from '../en/startup';

export const startup: typeof English = {
  tab: 'Start',
  saved: 'Start gespeichert',
  loading: 'Starteinstellungen werden geladen',
  noPermission: 'Du darfst nicht sehen oder ändern, wie dieser Server startet. Ein Admin kann es erlauben.',
  nothing: 'Hier gibt es für dich nichts zu ändern. Der Start ist denen vorbehalten, die diesen Server konfigurieren dürfen.',
  partly: 'Das sind die Einstellungen, die du ändern darfst. Der Rest braucht die Berechtigung „Konfigurieren“.',
  gameText: 'Einstellungen dieses Spiels.',
  title: 'Start',
  text: 'Wie das Spiel in seinem Container gestartet wird.',
  commandHint: 'Leer lassen für den Befehl des Images. {{NAME}} steht für den Wert einer Variable.',
  commandPlaceholder: 'Befehl des Images',
  otherVariables: 'Andere Variablen',
  notSaved: 'Start nicht gespeichert'
};
