/** Where to go after sign-in: a path of this page only, never another host. */
export function safeRedirect(next: string | null | undefined, fallback = '/servers'): string {
  if (!next || !next.startsWith('/')) return fallback;
  // "//host" and "/\host" name another host; browsers also drop tabs and line ends before they parse.
  // eslint-disable-next-line no-control-regex
  if (/^\/[/\\]/.test(next) || /[\\\u0000-\u001f\u007f]/.test(next)) return fallback;
  let url: URL;
  try {
    url = new URL(next, 'http://panel.invalid');
  } catch {
    return fallback;
  }
  if (url.origin !== 'http://panel.invalid' || url.pathname.startsWith('//')) return fallback;
  if (url.pathname === '/sign-in' || url.pathname === '/setup' || url.pathname.startsWith('/api/')) return fallback;
  return url.pathname + url.search + url.hash;
}
