/** Turns a console line into coloured pieces. Only colours and weights are known: every other escape is dropped. */
export interface Style {
  /** A palette index 0 to 15, or a CSS colour. */
  fg?: number | string;
  bg?: number | string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  /** The underline is drawn twice. */
  double?: boolean;
  overline?: boolean;
  inverse?: boolean;
  strike?: boolean;
}
export interface Piece extends Style {
  text: string;
}

/* eslint-disable no-control-regex */
const SEQUENCE = /\u001b\[([0-9;:]*)m/g;
/** OSC and friends with their text, other CSI, two-character escapes; then whatever control characters are left. */
const OTHER_ESCAPES =
  /\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\|$)|\u001b\[[0-?]*[ -/]*(?:[@-l]|[n-~]|$)|\u001b(?!\[)[ -/]*[0-~]?/g;
const CONTROLS = /[\u0000-\u0008\u000a-\u001a\u001c-\u001f\u007f-\u009f]/g;
/** Marks that turn the reading direction: a line must not rearrange what stands around it. */
const DIRECTION = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g;
/** Anything of the above: most lines have nothing of it. */
const SPECIAL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/;
/* eslint-enable no-control-regex */

const clean = (text: string) => text.replace(OTHER_ESCAPES, '').replace(CONTROLS, '').replace(DIRECTION, '');

/** The line's text alone, for search and download. */
export function plain(text: string): string {
  if (!SPECIAL.test(text)) return text;
  // Colours are all that most of the others have.
  const bare = text.replace(SEQUENCE, '');
  return SPECIAL.test(bare) ? clean(text).replace(SEQUENCE, '').replaceAll('\u001b', '') : bare;
}

export function parse(line: string): Piece[] {
  const text = clean(line);
  const pieces: Piece[] = [];
  let style: Style = {};
  let from = 0;
  const add = (until: number) => {
    const part = text.slice(from, until).replaceAll('\u001b', '');
    if (part !== '') pieces.push({ ...style, text: part });
  };
  for (const match of text.matchAll(SEQUENCE)) {
    add(match.index);
    style = apply(style, match[1] ?? '');
    from = match.index + match[0].length;
  }
  add(text.length);
  return pieces;
}

/** Codes are divided by semicolons; what belongs to one may stand behind it with colons (`4:3`, `38:2::r:g:b`). */
function apply(before: Style, parameters: string): Style {
  const groups = parameters.split(';');
  let style = { ...before };
  for (let at = 0; at < groups.length; at += 1) {
    const [code, ...parts] = (groups[at] ?? '').split(':').map(number);
    if (code === 38 || code === 48 || code === 58) {
      const [colour, used] = parts.length > 0 ? [inOne(parts), 0] : spread(groups.slice(at + 1, at + 5).map(number));
      // 58 is the colour of the underline, which nothing here shows.
      if (colour !== undefined && code !== 58) style[code === 38 ? 'fg' : 'bg'] = colour;
      at += used;
    } else if (code === 0) style = {};
    else set(style, code ?? 0, parts[0]);
  }
  return style;
}

const number = (code: string) => (code === '' ? 0 : Number(code));

function set(style: Style, code: number, detail: number | undefined) {
  if (code === 1) style.bold = true;
  else if (code === 2) style.dim = true;
  else if (code === 3) style.italic = true;
  else if (code === 4) {
    style.underline = detail !== 0;
    style.double = detail === 2;
  } else if (code === 7) style.inverse = true;
  else if (code === 9) style.strike = true;
  else if (code === 21) style.underline = style.double = true;
  else if (code === 22) style.bold = style.dim = false;
  else if (code === 23) style.italic = false;
  else if (code === 24) style.underline = style.double = false;
  else if (code === 27) style.inverse = false;
  else if (code === 29) style.strike = false;
  else if (code >= 30 && code <= 37) style.fg = code - 30;
  else if (code >= 90 && code <= 97) style.fg = code - 82;
  else if (code >= 40 && code <= 47) style.bg = code - 40;
  else if (code >= 100 && code <= 107) style.bg = code - 92;
  else if (code === 39) delete style.fg;
  else if (code === 49) delete style.bg;
  else if (code === 53) style.overline = true;
  else if (code === 55) style.overline = false;
}

/** "5;n" of 256 colours, "2;r;g;b" of all; and how many codes it took. */
function spread(codes: number[]): [number | string | undefined, number] {
  if (codes[0] === 5) return [colour256(codes[1] ?? 0), 2];
  if (codes[0] === 2) return [trueColour(codes.slice(1, 4)), 4];
  return [undefined, codes.length];
}

/** ":5:n", ":2:r:g:b", and ":2:SPACE:r:g:b" as the standard has it. */
function inOne(parts: number[]): number | string | undefined {
  if (parts[0] === 5) return colour256(parts[1] ?? 0);
  return parts[0] === 2 ? trueColour(parts.slice(parts.length > 4 ? 2 : 1)) : undefined;
}

function trueColour(parts: number[]): string {
  const [r, g, b] = parts.map((part) => Math.min(255, part));
  return rgb(r ?? 0, g ?? 0, b ?? 0);
}

function colour256(index: number): number | string | undefined {
  if (index < 0 || index > 255) return undefined;
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return rgb(grey, grey, grey);
  }
  const level = (part: number) => (part === 0 ? 0 : 55 + part * 40);
  const cube = index - 16;
  return rgb(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

const rgb = (r: number, g: number, b: number) => `rgb(${r}, ${g}, ${b})`;

/** Lifts a colour towards white until it can be read on the console's dark ground (4.5 to 1). */
export function readable(colour: string): string {
  const parts = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(colour);
  if (!parts) return colour;
  let [r, g, b] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  for (let round = 0; round < 20 && luminance(r, g, b) < 0.19; round += 1) {
    [r, g, b] = [r, g, b].map((part) => Math.round(part + (255 - part) * 0.12)) as [number, number, number];
  }
  return rgb(r, g, b);
}

function luminance(...parts: number[]): number {
  const [r, g, b] = parts.map((part) => {
    const share = part / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (r ?? 0) + 0.7152 * (g ?? 0) + 0.0722 * (b ?? 0);
}
