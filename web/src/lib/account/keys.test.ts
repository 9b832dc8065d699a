import { beforeEach, describe, expect, it, vi } from 'vitest';

describe('the keys of this browser', () => {
  let kept: Map<string, string>;
  let keys: typeof import('./keys');
  const storage = (full = false) => ({
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => {
      if (full) throw new DOMException('full', 'QuotaExceededError');
      kept.set(key, value);
    },
    removeItem: (key: string) => kept.delete(key)
  });

  beforeEach(async () => {
    kept = new Map();
    vi.resetModules();
    vi.stubGlobal('localStorage', storage());
    keys = await import('./keys');
  });

  it('are kept and forgotten', () => {
    expect(keys.sessionKey()).toBeNull();
    keys.setSessionKey('a');
    expect(keys.sessionKey()).toBe('a');
    keys.forgetSessionKey('a');
    expect(keys.sessionKey()).toBeNull();
  });
  it('of another tab are not forgotten for an old one', () => {
    keys.setSessionKey('old');
    kept.set('session-key', 'new');
    keys.forgetSessionKey('old');
    expect(keys.sessionKey()).toBe('new');
  });
  it('last as long as the page where nothing can be stored', () => {
    vi.stubGlobal('localStorage', storage(true));
    keys.setSessionKey('a');
    expect(keys.sessionKey()).toBe('a');
    keys.forgetSessionKey('a');
    expect(keys.sessionKey()).toBeNull();
  });
});
