import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { sentences } from './de/sentences';
import { i18n } from './i18n.svelte';
import { inOurWords } from './sentences';

/** The texts of the panel's and the agent's sources, without line breaks inside of sentences. */
function sources(): string {
  return ['src/', 'agent/src/']
    .flatMap((folder) => {
      const at = new URL(`../../../../${folder}`, import.meta.url);
      return readdirSync(at, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.rs')).map((name) => readFileSync(new URL(name, at), 'utf8'));
    })
    .join('\n')
    .replace(/\\\n\s*/g, '');
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const holes = (text: string) => [...new Set(text.match(/\{\d\}/g))].sort();

describe('sentences of the panel and its agents', () => {
  afterEach(() => i18n.load('en'));

  it('are those that the sources have, with all of their values', () => {
    const text = sources();
    // Put together of two pieces in the sources.
    const pieces: Record<string, string> = {
      '{1} {2} answers at {3} (API {4}).': '{name} {} answers at {} (API {}{rootless}).',
      '{1} lies on {2} ({3}).': '{at} lies on {} ({kind}{nosuid}).',
      'The node {1} broke off: {2}.': 'The node {node} broke off: {message}.{advice}',
      'The node {1} broke off: {2}. Make room there, then try again.': ' Make room there, then try again.'
    };
    for (const [english, german] of Object.entries(sentences)) {
      const piece = pieces[english];
      const source = piece === undefined ? english.split(/\{\d\}/).map(escaped).join('\\{[^{}]*\\}') : escaped(piece);
      expect(text, english).toMatch(new RegExp(`"${source}"`));
      expect(holes(german), english).toEqual(holes(english));
    }
  });

  it('are shown in German with their values, those in their values too', async () => {
    await i18n.load('de');
    expect(inOurWords('12 GiB of 64 GiB are free for /var/lib/x.')).toBe('12 GiB von 64 GiB sind frei für /var/lib/x.');
    expect(inOurWords('Stopping the server on the node attic failed: it went offline')).toBe('Stoppen des Servers auf Node attic fehlgeschlagen: sie ging offline');
    expect(inOurWords('3 GiB of 8 GiB are free; no swap.')).toBe('3 GiB von 8 GiB sind frei; kein Swap.');
    expect(inOurWords('The node b broke off: the disk is full. Make room there, then try again.')).toContain('Schaffe dort Platz');
  });

  it('stay as they came where there is none, and in English', async () => {
    const long = `The node ${'x'.repeat(2_000)} is offline.`;
    await i18n.load('de');
    for (const text of ['', 'An engine says something.', 'constructor', long]) expect(inOurWords(text)).toBe(text);
    await i18n.load('en');
    expect(inOurWords('It was called off.')).toBe('It was called off.');
  });

  it('take no time to speak of, whatever stands in them', async () => {
    await i18n.load('de');
    const hostile = 'The node '.repeat(110);
    const start = performance.now();
    for (let n = 0; n < 20; n += 1) inOurWords(hostile);
    expect(performance.now() - start).toBeLessThan(400);
  });
});
