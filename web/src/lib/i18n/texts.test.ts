import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { texts as german } from './de';
import { files as germanFiles } from './de/files';
import { texts as english } from './en';
import { files as englishFiles } from './en/files';
import { later } from './en/later';
import { i18n, t } from './i18n.svelte';
import { languageFor, localeFor } from './language';
import { foreignTexts } from './scan';

// Those of the file manager are files of their own.
const [en, de] = [{ ...english, files: englishFiles }, { ...german, files: germanFiles }];

/** Every text by its key: `servers.status.running`. */
function flat(value: unknown, key = ''): Map<string, unknown> {
  if (typeof value !== 'object' || value === null) return new Map([[key, value]]);
  return new Map(Object.entries(value).flatMap(([name, part]) => [...flat(part, key === '' ? name : `${key}.${name}`)]));
}

/** What a text says when it gets recognizable values. */
function said(text: unknown): string {
  if (typeof text === 'string') return text;
  const make = text as (...given: unknown[]) => string;
  const by = (count: boolean) => make(...Array.from({ length: make.length }, (_, at) => (count ? at + 7 : `given${at}`)));
  // What counts gets numbers, the rest words; both take either in a template.
  try {
    return by(false);
  } catch {
    return by(true);
  }
}

/** Words with a space between them that are the same in both languages. */
const SAME = new Set(['account.sshKeyExample', 'console.nodeOffline', 'create.cpus.x86', 'files.encodings.utf-16le', 'files.encodings.utf-16be', 'files.endings.lf', 'files.endings.crlf']);

describe('the catalogue', () => {
  const [english, german] = [flat(en), flat(de)];

  it('has every text in every language', () => {
    const keys = (texts: Map<string, unknown>) => [...texts.keys()].filter((key) => !key.startsWith('errors.sentences') && !key.startsWith('files.editorPhrases') && !key.startsWith('findings') && !key.startsWith('sentences')).sort();
    expect(keys(german)).toEqual(keys(english));
    for (const [key, text] of english) {
      const other = german.get(key);
      expect(typeof other, key).toBe(typeof text);
      if (typeof text === 'function') expect((other as () => void).length, key).toBe(text.length);
      expect(String(typeof text === 'string' ? text : 'x').trim(), key).not.toBe('');
      expect(String(typeof other === 'string' ? other : 'x').trim(), key).not.toBe('');
    }
  });

  it('is translated', () => {
    const same = [...english].filter(([key, text]) => typeof text === 'string' && text === german.get(key) && /\s/.test(text) && !SAME.has(key));
    expect(same).toEqual([]);
  });

  it('puts in what it is given, in every language', () => {
    for (const [key, text] of english) {
      if (typeof text !== 'function' || text.length === 0) continue;
      for (const of of [text, german.get(key)]) {
        const made = said(of);
        expect(made, key).not.toMatch(/undefined|\[object/);
        expect(made.trim(), key).not.toBe('');
      }
    }
  });

  it('counts', () => {
    expect([0, 1, 2, 1200].map(en.servers.count)).toEqual(['0 servers', '1 server', '2 servers', '1,200 servers']);
    expect([1, 2, 1200].map(de.nodes.cores)).toEqual(['1 Kern', '2 Kerne', '1.200 Kerne']);
  });
});

describe('the language', () => {
  it('is the chosen one, else the browser’s, else English', () => {
    expect(languageFor('de', ['en-US'])).toBe('de');
    expect(languageFor(null, ['fr', 'de-AT', 'en'])).toBe('de');
    expect(languageFor('xx', ['fr'])).toBe('en');
    expect(localeFor('de', ['en-US', 'de-AT'])).toBe('de-AT');
    expect(localeFor('de', ['en-US'])).toBe('de');
  });

  it('is changed as a whole', async () => {
    await i18n.load('de');
    expect(t.power.stop).toBe(de.power.stop);
    await i18n.load('en');
    expect(t.power.stop).toBe(en.power.stop);
  });
});

describe('the first of the texts', () => {
  const root = join(import.meta.dirname, '../..');
  const source = (path: string) => readFileSync(path, 'utf8');
  /** The file that an import names, where it is one of ours. */
  const resolve = (from: string, name: string) => {
    const base = name.startsWith('$lib/') ? join(root, 'lib', name.slice(5)) : name.startsWith('.') ? join(from, '..', name) : null;
    return base === null ? null : ([base, `${base}.ts`, join(base, 'index.ts')].find((path) => existsSync(path) && statSync(path).isFile()) ?? null);
  };

  it('are all that the list of servers reads', () => {
    const frame = ['routes/+layout.svelte', 'routes/+error.svelte', 'routes/(app)/+layout.svelte', 'routes/(app)/+layout.ts'];
    // What the list brings when it is wanted, without waiting for other texts.
    const wanted = ['servers/BulkBar.svelte', 'servers/ServerTable.svelte', 'ui/UserMenu.svelte'].map((name) => `lib/${name}`);
    const open = [...frame, ...wanted, 'routes/(app)/servers/+page.svelte', 'routes/(app)/servers/+page.ts'].map((name) => join(root, name));
    const seen = new Set<string>();
    const missing: string[] = [];
    for (let path = open.pop(); path !== undefined; path = open.pop()) {
      if (seen.has(path) || path.includes('/lib/i18n/')) continue;
      seen.add(path);
      for (const [, part] of source(path).matchAll(/\bt\.(\w+)\.\w/g)) if (part && part in later) missing.push(`${path}: t.${part}`);
      for (const [, name] of source(path).matchAll(/^\s*import (?!type )(?:[^'";]*? from )?'([^']+)'/gm)) {
        const file = resolve(path, name ?? '');
        if (file) open.push(file);
      }
    }
    expect(seen.size).toBeGreaterThan(40);
    expect(missing).toEqual([]);
  });
});

describe('the sources', () => {
  it('are searched for texts', () => {
    const found = (source: string, name = 'a.svelte') => foreignTexts(name, source).length;
    expect(found('<p>Hello there</p>')).toBe(1);
    expect(found('<button aria-label="Close it">×</button>')).toBe(1);
    expect(found("<p>{busy ? 'Saving …' : t.common.save}</p>")).toBe(1);
    expect(found('<script>const a = `Moved to ${name}`;</script>')).toBe(1);
    expect(found("<Field label={'Name'} />")).toBe(1);
    expect(found("export const problem = () => 'Name is required.';", 'a.ts')).toBe(1);
    expect(found("{#if a}<code>docker pull x</code>{:else}<i class='a b'>{t.a.b}</i>{/if}")).toBe(0);
    expect(found("throw new Error('no such thing'); const a = 'data-row'; type X = 'Some Thing';", 'a.ts')).toBe(0);
  });

  it('have no text of their own', () => {
    const root = join(import.meta.dirname, '../..');
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(svelte|ts)$/.test(name) && !/\.test\.ts$|\.d\.ts$|lib\/i18n\//.test(name));
    expect(files.length).toBeGreaterThan(50);
    expect(files.flatMap((name) => foreignTexts(name, readFileSync(join(root, name), 'utf8')))).toEqual([]);
    // Each of some hundred files is parsed.
  }, 120_000);
});
