/** The first answers, which the shell has asked for before these scripts were there (static/boot.js). */

interface Early {
  key: string;
  answers: Record<string, Promise<Response>>;
}

declare global {
  interface Window {
    __early?: Early;
  }
}

/** The answer to this question, once, where the same was asked in the name of the same session. */
export function early(path: string, session: string): Promise<Response> | null {
  const asked = window.__early;
  const answer = asked?.answers[path];
  if (!asked || !answer || session !== asked.key) return null;
  delete asked.answers[path];
  return answer;
}
