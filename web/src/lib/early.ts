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
export function early(request: Request): Promise<Response> | null {
  const asked = window.__early;
  const path = new URL(request.url).pathname;
  const answer = asked?.answers[path];
  if (!asked || !answer || request.method !== 'GET' || request.headers.get('X-Session-Key') !== asked.key) return null;
  delete asked.answers[path];
  return answer;
}
