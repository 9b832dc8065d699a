import type { setup as English } from '../en/setup';

export const setup: typeof English = {
  page: 'Einrichten',
  welcome: 'Willkommen',
  text: 'Erstelle dein Konto, um dieses Panel zu übernehmen. Danach sind es drei Klicks zu deinem ersten Spielserver: neuer Server, ein Spiel, erstellen und starten.',
  notCreated: 'Konto nicht erstellt',
  fromLink: 'Einrichtungstoken aus dem Link übernommen',
  token: 'Einrichtungstoken',
  tokenHint: 'Wurde beim Start des Panels ausgegeben; steht auch in der Datei „setup-token“ in seinem Datenordner.',
  tokenRequired: 'Einrichtungstoken ist erforderlich.',
  tokenWrong: 'Dieses Token ist nicht gültig.',
  passwordHint: 'Mindestens 10 Zeichen. Drei Wörter sind ein gutes.',
  create: 'Konto erstellen',
  alsoAt: 'In deinem Netz ist das Panel auch unter',
  easier: 'zu finden: leichter zu merken.'
};
