import { describe, expect, it } from 'vitest';
import { decode, encode, endingOf, forEditor, isBinary, unwritable, withEnding } from './encoding';
import { Properties } from './forms/properties';
import { compareNames, filtered, sorted } from './natural';
import { crumbs, freeName, isArchive, join, nameBytes, nameProblem, normal, parentOf, shown, splitEnding, within } from './paths';
import { all, click, kept, moveBy, moveTo, nothing, only, toggle } from './selection';
import type { FileEntry } from './types';

const entry = (name: string, more: Partial<FileEntry> = {}): FileEntry => ({ name, kind: 'file', size: 1, mode: '644', modified: '2026-01-01T00:00:00Z', ...more });

describe('paths', () => {
  it('begin at the server’s folder', () => {
    expect(join('/', 'a')).toBe('/a');
    expect(join('/a', 'b')).toBe('/a/b');
    expect(parentOf('/a')).toBe('/');
    expect(parentOf('/a/b')).toBe('/a');
    expect(normal('a//b/')).toBe('/a/b');
    expect(normal('/../a/./b')).toBe('/a/b');
    expect(normal(null)).toBe('/');
    expect(crumbs('/a/b')).toEqual([{ name: 'a', path: '/a' }, { name: 'b', path: '/a/b' }]);
    expect(within('/ab', '/a')).toBe(false);
    expect(within('/a/b', '/a')).toBe(true);
  });

  it('show bytes and characters that cannot be seen', () => {
    expect(shown('caf\uefe9')).toBe('caf\\xE9');
    expect(shown('a\nb')).toBe('a\\nb');
    expect(shown('evil\u202egpj.exe')).toBe('evil\\u{202E}gpj.exe');
    expect(shown('größe 🙂')).toBe('größe 🙂');
    expect(nameBytes('caf\uefe9')).toBe(4);
    expect(nameBytes('é')).toBe(2);
  });

  it('say what a name cannot be', () => {
    expect(nameProblem(' ')).toBe('empty');
    expect(nameProblem('..')).toBe('dots');
    expect(nameProblem('a/b')).toBe('slash');
    expect(nameProblem('é'.repeat(128))).toBe('long');
    expect(nameProblem('é'.repeat(127))).toBeNull();
    expect(nameProblem('a', (name) => name === 'a')).toBe('taken');
  });

  it('find a free name', () => {
    const taken = (names: string[]) => (name: string) => names.includes(name);
    expect(freeName('a.txt', taken([]))).toBe('a.txt');
    expect(freeName('a.txt', taken(['a.txt', 'a (2).txt']))).toBe('a (3).txt');
    expect(freeName('w.tar.gz', taken(['w.tar.gz']))).toBe('w (2).tar.gz');
    expect(splitEnding('.env')).toEqual(['.env', '']);
    expect(isArchive('World.ZIP')).toBe(true);
    expect(isArchive('zip')).toBe(false);
  });
});

describe('order', () => {
  it('is natural', () => {
    expect(['map10', 'Map2', 'map1', 'Äpfel', 'zebra', 'apfel'].sort(compareNames)).toEqual(['apfel', 'Äpfel', 'map1', 'Map2', 'map10', 'zebra']);
    expect(['a007', 'a7', 'a08'].sort(compareNames)).toEqual(['a007', 'a7', 'a08']);
  });

  it('has folders first, in both directions', () => {
    const list = [entry('b', { size: 5 }), entry('d', { kind: 'directory' }), entry('a', { size: 9 }), entry('c', { kind: 'directory', size: 4096 })];
    const names = (by: 'name' | 'size' | 'modified', down: boolean) => sorted(list, { by, down }).map(({ name }) => name).join('');
    expect(names('name', false)).toBe('cdab');
    expect(names('name', true)).toBe('dcba');
    expect(names('size', false)).toBe('cdba');
    expect(names('size', true)).toBe('cdab');
  });

  it('sorts 50,000 entries at once', () => {
    const list = Array.from({ length: 50_000 }, (_, at) => entry(`region r.${(at * 7919) % 50_000}.mca`));
    const start = performance.now();
    expect(sorted(list, { by: 'name', down: false })[10]?.name).toBe('region r.10.mca');
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it('is filtered by words', () => {
    expect(filtered([entry('World Nether'), entry('world')], 'ne wor').map(({ name }) => name)).toEqual(['World Nether']);
  });
});

describe('selection', () => {
  const names = ['a', 'b', 'c', 'd'];
  const of = (selection: { chosen: ReadonlySet<string> }) => [...selection.chosen].sort().join('');

  it('follows the mouse', () => {
    let now = click(nothing, names, 'b', {});
    now = click(now, names, 'd', { shift: true });
    expect(of(now)).toBe('bcd');
    now = click(now, names, 'a', { shift: true });
    expect(of(now)).toBe('ab');
    now = click(now, names, 'd', { ctrl: true });
    expect(of(now)).toBe('abd');
    expect(of(click(now, names, 'd', { ctrl: true }))).toBe('ab');
    expect(of(click(now, names, 'c', { shift: true, ctrl: true }))).toBe('abcd');
  });

  it('follows the keyboard', () => {
    expect(moveBy(nothing, names, 1).cursor).toBe('a');
    expect(moveBy(nothing, names, -1).cursor).toBe('d');
    let now = moveBy(only('b'), names, 1, { shift: true });
    now = moveBy(now, names, 1, { shift: true });
    expect(of(now)).toBe('bcd');
    now = moveBy(only('b'), names, 1, { ctrl: true });
    expect([of(now), now.cursor]).toEqual(['b', 'c']);
    expect(of(toggle(now, 'c'))).toBe('bc');
    expect(of(moveTo(now, names, 99))).toBe('d');
    expect(of(all(nothing, names))).toBe('abcd');
    expect(moveTo(nothing, [], 0)).toEqual(nothing);
  });

  it('is kept where its entries are', () => {
    const now = kept(all(only('a'), names), ['b', 'c']);
    expect([of(now), now.cursor]).toEqual(['bc', null]);
  });
});

describe('encodings', () => {
  const bytes = (...values: number[]) => new Uint8Array(values);
  const back = (given: Uint8Array) => {
    const { text, encoding, bom, ending } = decode(given);
    return [...encode(withEnding(forEditor(text, ending), ending), encoding, bom)];
  };

  it('are kept byte for byte', () => {
    for (const given of [
      bytes(0xef, 0xbb, 0xbf, 0x61, 0x0d, 0x0a),
      bytes(0x67, 0x72, 0xfc, 0x6e, 0x80, 0x9f, 0x0a),
      bytes(0xff, 0xfe, 0x61, 0x00, 0x0a, 0x00),
      bytes(0xfe, 0xff, 0x00, 0x61, 0xd8, 0x3d, 0xde, 0x42),
      bytes(0x61, 0x0d, 0x0a, 0x62, 0x0a, 0x63, 0x0d),
      bytes(0xc3, 0xa9),
      bytes()
    ]) {
      expect(back(given)).toEqual([...given]);
    }
  });

  it('are told apart', () => {
    expect(decode(bytes(0xc3, 0xa9))).toMatchObject({ text: 'é', encoding: 'utf-8', bom: false });
    expect(decode(bytes(0xe9))).toMatchObject({ text: 'é', encoding: 'latin-1' });
    expect(decode(bytes(0xc3, 0xa9), 'latin-1').text).toBe('Ã©');
    // Cut within a character, a part is UTF-8 all the same.
    expect(decode(bytes(0x61, 0xc3), null, true).encoding).toBe('utf-8');
    expect(isBinary(bytes(0x61, 0x00))).toBe(true);
    expect(isBinary(bytes(0xff, 0xfe, 0x61, 0x00))).toBe(false);
    expect(endingOf('a\r\nb\r\n')).toBe('crlf');
    expect(endingOf('a\r\nb\n')).toBe('mixed');
    expect(endingOf('a')).toBe('lf');
    expect(unwritable('größe €', 'latin-1')).toBe('€');
    expect(unwritable('größe €', 'utf-8')).toBeNull();
  });
});

describe('properties', () => {
  const text = '#Minecraft\n# a comment = 1\nmotd=A \\u00A7bworld\\: 1\nview-distance = 10\nlevel-seed=\nlong=one \\\n  two\nkey\\ with\\ space=x\n\nlast: y';

  it('are read', () => {
    const found = new Properties(text);
    expect(found.keys).toEqual(['motd', 'view-distance', 'level-seed', 'long', 'key with space', 'last']);
    expect(found.get('motd')).toBe('A §bworld: 1');
    expect(found.get('view-distance')).toBe('10');
    expect(found.get('level-seed')).toBe('');
    expect(found.get('long')).toBe('one two');
    expect(found.get('key with space')).toBe('x');
    expect(found.get('last')).toBe('y');
    expect(found.get('none')).toBeNull();
  });

  it('change only what is set', () => {
    const found = new Properties(text);
    found.set('view-distance', '12');
    found.set('motd', 'A §bworld: 1');
    expect(found.text).toBe(text.replace('view-distance = 10', 'view-distance=12'));
    found.set('long', 'a\\b ü');
    expect(found.text).toContain('\nlong=a\\\\b \\u00FC\nkey');
    found.set('new', ' x');
    expect(found.text.endsWith('last: y\nnew=\\ x\n')).toBe(true);
    for (const key of ['a b', '#c', 'd=e', 'f\\g']) {
      found.set(key, 'v:=# ');
      expect(new Properties(found.text).get(key)).toBe('v:=# ');
    }
  });

  it('keep the end of the file', () => {
    const found = new Properties('a=1\r\n');
    found.set('a', '2');
    found.set('b', '3');
    expect(found.text).toBe('a=2\r\nb=3\r\n');
  });
});
