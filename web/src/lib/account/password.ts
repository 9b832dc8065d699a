/** The panel's rule, said before the panel has to: 10 to 1,024 bytes. */
import { t } from '../i18n/i18n.svelte';
export function passwordProblem(password: string): string | null {
  const size = new TextEncoder().encode(password).length;
  if (size < 10) return t.account.passwordRule;
  if (size > 1024) return t.account.passwordTooLong;
  return null;
}

/** Usernames: 1 to 32 of letters, digits, dot, underscore and dash. */
export function usernameProblem(username: string): string | null {
  return /^[A-Za-z0-9._-]{1,32}$/.test(username) ? null : t.account.usernameRule;
}

/** The token out of a setup link's fragment, or of whatever somebody pasted: the link or the token alone. */
export function setupToken(text: string): string {
  const found = /(?:^|[#&])token=([^&\s]+)/.exec(text.trim());
  return decodeURIComponentSafe(found?.[1] ?? text.trim());
}

function decodeURIComponentSafe(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
