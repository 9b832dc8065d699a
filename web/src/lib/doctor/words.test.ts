import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findings } from '../i18n/de/findings';
import { i18n } from '../i18n/i18n.svelte';
import { titleOf, wordsOf } from './words';

const SOURCES = new URL('../../../../src/doctor/', import.meta.url);
const CODES = new URL('../../../../agent/protocol/src/codes.rs', import.meta.url);

/** Every code that the panel's sources can give a finding, and those of the machine's problems that become one. */
function codes(): Set<string> {
  const files = readdirSync(SOURCES).filter((name) => name.endsWith('.rs') && name !== 'tests.rs');
  const text = files.map((name) => readFileSync(new URL(name, SOURCES), 'utf8').split('#[cfg(test)]')[0]).join('\n');
  const found = new Set<string>();
  for (const [, code = ''] of text.matchAll(/Finding::(?:ok|note|warning|problem)\(\s*"\w+",\s*"([a-z_0-9]+)"/g)) found.add(code);
  for (const [, code = ''] of text.matchAll(/\(\s*"([a-z_]+)",\s*"[A-Z]/g)) found.add(code);
  const names = new Map([...readFileSync(CODES, 'utf8').matchAll(/(\w+) = "([a-z_]+)"/g)].map(([, name, code]) => [name, code ?? '']));
  for (const [, name = ''] of text.matchAll(/ProblemCode::(\w+) => \("/g)) found.add(names.get(name) ?? name);
  return found;
}

describe("a finding's words", () => {
  beforeAll(() => i18n.load('de'));
  afterAll(() => i18n.load('en'));

  it('has a German title for each code that there is, and for no other', () => {
    const all = codes();
    expect(all.size).toBeGreaterThan(70);
    expect([...all].sort()).toEqual(Object.keys(findings).sort());
  });

  it('is in German, with the commands of this machine', () => {
    const finding = { group: 'engine', code: 'engine_stopped', level: 'problem' as const, title: 'The engine does not answer', detail: 'unix: refused.', advice: 'Start it: `rc-service docker restart`; what it says: `tail x`.' };
    expect(wordsOf(finding)).toEqual({ title: 'Die Engine antwortet nicht', detail: 'unix: refused.', advice: 'Starte sie: `rc-service docker restart`; was sie sagt: `tail x`.' });
  });

  it('stays English where German lacks it', () => {
    const finding = { group: 'x', code: 'of_a_newer_panel', level: 'note' as const, title: 'New', detail: 'A detail.', advice: 'Do `this`.' };
    expect(wordsOf(finding)).toEqual({ title: 'New', detail: 'A detail.', advice: 'Do `this`.' });
    const other = { ...finding, code: 'engine_stopped', advice: 'Other advice.' };
    expect(wordsOf(other).advice).toBe('Other advice.');
    expect(titleOf({ code: 'swap_none', title: 'x' })).toBe('Kein Swap auf einem kleinen Rechner');
  });
});
