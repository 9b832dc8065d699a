import { describe, expect, it } from 'vitest';
import { safeRedirect } from './redirect';

describe('safeRedirect', () => {
  it.each(['/servers/abc', '/nodes', '/servers?x=1#top', '/'])('keeps %s', (next) => {
    expect(safeRedirect(next)).toBe(next);
  });

  it.each([
    null,
    undefined,
    '',
    'servers',
    '//evil.example',
    '/\\evil.example',
    '\\/evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '/servers\\..\\',
    'javascript:alert(1)',
    'https://evil.example/',
    ' /servers',
    '/..//evil.example',
    '/sign-in?next=/sign-in',
    '/setup',
    '/api/session'
  ])('goes to the servers instead of %j', (next) => {
    expect(safeRedirect(next)).toBe('/servers');
  });
});
