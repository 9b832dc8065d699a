/*
 * What happens before the page's own scripts are there: the theme before the first paint, the frame of somebody who is signed
 * in, and the first questions to the panel, which would wait for those scripts otherwise. The build puts it into the shell
 * (svelte.config.js), with the files that this page will need as `parts`.
 */
(function (parts) {
  var stored = function (key) {
    try {
      return localStorage.getItem(key);
    } catch {
      // Storage is off: as a browser that was never here.
      return null;
    }
  };
  var theme = stored('theme');
  if (theme !== 'light' && theme !== 'dark') {
    theme = matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
  }
  document.documentElement.dataset.theme = theme;

  var load = function (file) {
    var link = document.createElement('link');
    link.rel = 'modulepreload';
    link.href = file;
    document.head.append(link);
  };
  // As src/lib/i18n/language.ts has it.
  var known = Object.keys(parts.languages);
  var wanted = [stored('language')].concat(
    (navigator.languages || []).map(function (tag) {
      return tag.toLowerCase().split('-')[0];
    })
  );
  var language = wanted.find(function (one) {
    return known.indexOf(one) >= 0;
  });
  (parts.languages[language || 'en'] || []).forEach(load);

  var key = stored('session-key');
  if (!key || /^\/(sign-in|setup|s)(\/|$)/.test(location.pathname)) return;
  document.documentElement.classList.add('framed');
  parts.app.forEach(load);
  if (location.pathname === '/' || location.pathname === '/servers') parts.servers.forEach(load);
  var answers = {};
  ['/api/me', '/api/servers', '/api/nodes'].forEach(function (path) {
    // eslint-disable-next-line no-restricted-globals
    answers[path] = fetch(path, { headers: { 'X-Session-Key': key }, credentials: 'same-origin', cache: 'no-store' });
    // Whoever takes it is told.
    answers[path].catch(function () {});
  });
  window.__early = { key: key, answers: answers };
})({ languages: {}, app: [], servers: [] });
