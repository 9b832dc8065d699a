import { describe, expect, it } from 'vitest';
import { parse, plain, readable } from './sgr';

const ESC = '\u001b[';

describe('parse', () => {
  it('leaves plain text alone', () => {
    expect(parse('Done (7.2s)! For help, type "help"')).toEqual([{ text: 'Done (7.2s)! For help, type "help"' }]);
    expect(parse('')).toEqual([]);
  });
  it('knows the 16 colours, weights and their ends', () => {
    expect(parse(`a${ESC}32mb${ESC}1mc${ESC}22;39md${ESC}97;44me${ESC}0mf`)).toEqual([
      { text: 'a' },
      { text: 'b', fg: 2 },
      { text: 'c', fg: 2, bold: true },
      { text: 'd', bold: false, dim: false },
      { text: 'e', bold: false, dim: false, fg: 15, bg: 4 },
      { text: 'f' }
    ]);
  });
  it('takes an empty code as a reset', () => expect(parse(`${ESC}31ma${ESC}mb`)).toEqual([{ text: 'a', fg: 1 }, { text: 'b' }]));
  it('knows 256 and all colours, also with colons', () => {
    expect(parse(`${ESC}38;5;208mx`)).toEqual([{ text: 'x', fg: 'rgb(255, 135, 0)' }]);
    expect(parse(`${ESC}38;5;244mx`)).toEqual([{ text: 'x', fg: 'rgb(128, 128, 128)' }]);
    expect(parse(`${ESC}38;5;9mx`)).toEqual([{ text: 'x', fg: 9 }]);
    expect(parse(`${ESC}48;2;1;2;300;1mx`)).toEqual([{ text: 'x', bg: 'rgb(1, 2, 255)', bold: true }]);
    expect(parse(`${ESC}38:5:208mx`)).toEqual([{ text: 'x', fg: 'rgb(255, 135, 0)' }]);
  });
  it('knows what stands behind a code with colons', () => {
    expect(parse(`${ESC}38:2::255:135:0ma`)).toEqual([{ text: 'a', fg: 'rgb(255, 135, 0)' }]);
    expect(parse(`${ESC}38:2:255:135:0ma`)).toEqual([{ text: 'a', fg: 'rgb(255, 135, 0)' }]);
    expect(parse(`${ESC}48:5:9ma`)).toEqual([{ text: 'a', bg: 9 }]);
    expect(parse(`${ESC}4:3ma${ESC}4:0mb`)).toMatchObject([{ text: 'a', underline: true }, { text: 'b', underline: false }]);
    expect(parse(`${ESC}4:3ma`)[0]?.italic).toBeUndefined();
  });
  it('draws underlines twice, and lines above', () => {
    expect(parse(`${ESC}21ma${ESC}24mb`)).toMatchObject([{ underline: true, double: true }, { underline: false, double: false }]);
    expect(parse(`${ESC}53ma${ESC}55mb`)).toMatchObject([{ overline: true }, { overline: false }]);
  });
  it('leaves the colour of underlines alone', () => {
    expect(parse(`${ESC}58;5;1ma`)).toEqual([{ text: 'a' }]);
    expect(parse(`${ESC}58;2;1;3;4ma${ESC}58:2::1:3:4mb`).every((piece) => !piece.bold && !piece.italic)).toBe(true);
  });
  it('survives broken codes', () => {
    expect(plain(`${ESC}38;5ma${ESC}38mb${ESC}999mc${ESC}`)).toBe('abc');
  });
});

describe('what is no colour', () => {
  it.each([
    ['clipboard', '\u001b]52;c;aGk=\u0007after', 'after'],
    ['link', '\u001b]8;;http://x\u001b\\text\u001b]8;;\u001b\\', 'text'],
    ['title', '\u001b]0;title\u0007x', 'x'],
    ['report', `a${ESC}6nb`, 'ab'],
    ['other screen', `a${ESC}?1049hb`, 'ab'],
    ['cursor', `a${ESC}2J${ESC}1;1Hb`, 'ab'],
    ['controls', 'a\u0007\u0008\u009b\u0000b', 'ab'],
    ['turned direction', 'a\u202eb\u2066c', 'abc'],
    ['tab stays', 'a\tb', 'a\tb']
  ])('%s', (_name, line, text) => {
    expect(plain(line)).toBe(text);
  });
  it('keeps markup as text', () => {
    expect(plain('<img src=x onerror=alert(1)>')).toBe('<img src=x onerror=alert(1)>');
  });
});

describe('readable', () => {
  it('lifts dark colours and leaves bright ones', () => {
    expect(readable('rgb(255, 135, 0)')).toBe('rgb(255, 135, 0)');
    const [r, g, b] = (/(\d+), (\d+), (\d+)/.exec(readable('rgb(10, 10, 80)')) ?? []).slice(1).map(Number);
    expect(Math.min(r ?? 0, g ?? 0)).toBeGreaterThan(90);
    expect(b).toBeGreaterThan(120);
  });
});
