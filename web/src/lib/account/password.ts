/** The panel's rule, said before the panel has to: 10 to 1,024 bytes. */
export function passwordProblem(password: string): string | null {
  const size = new TextEncoder().encode(password).length;
  if (size < 10) return 'At least 10 characters.';
  if (size > 1024) return 'At most 1,024 bytes.';
  return null;
}

/** Usernames: 1 to 32 of letters, digits, dot, underscore and dash. */
export function usernameProblem(username: string): string | null {
  return /^[A-Za-z0-9._-]{1,32}$/.test(username) ? null : 'Letters, digits, dot, underscore and dash; at most 32.';
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
