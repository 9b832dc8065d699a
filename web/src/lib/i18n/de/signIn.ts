import type { signIn as English } from '../en/signIn';

export const signIn: typeof English = {
  ended: 'Deine Sitzung ist beendet. Melde dich an, um dort weiterzumachen.',
  title: 'Anmelden',
  wrong: 'Name oder Passwort falsch',
  failed: 'Anmelden fehlgeschlagen',
  busy: 'Anmeldung läuft …',
  lost: 'Passwort vergessen? Ein Admin kann ein neues setzen, oder führe auf dem Rechner des Panels aus:'
};
