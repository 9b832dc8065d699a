/** Bytes to text and back, so that what was not changed is saved as it was. */

export type Encoding = 'utf-8' | 'latin-1' | 'utf-16le' | 'utf-16be';
export type LineEnding = 'lf' | 'crlf' | 'mixed';

export interface Decoded {
  text: string;
  encoding: Encoding;
  bom: boolean;
  ending: LineEnding;
}

const MARKS: [Encoding, number[]][] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]]
];
/** Where a byte of 0 is looked for, which no text has. */
const LOOKED_AT = 8192;

const begins = (bytes: Uint8Array, mark: number[]) => mark.every((byte, at) => bytes[at] === byte);

export function markOf(bytes: Uint8Array): Encoding | null {
  return MARKS.find(([, mark]) => begins(bytes, mark))?.[0] ?? null;
}

/** Whether it is no text. */
export function isBinary(bytes: Uint8Array): boolean {
  return markOf(bytes) === null && bytes.subarray(0, LOOKED_AT).includes(0);
}

/** Each byte is the character of its number. Not `TextDecoder('latin1')`, which is Windows-1252 and cannot be undone by number. */
function fromLatin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return text;
}

export function endingOf(text: string): LineEnding {
  const crlf = text.match(/\r\n/g)?.length ?? 0;
  const lf = text.match(/(?<!\r)\n/g)?.length ?? 0;
  const cr = text.match(/\r(?!\n)/g)?.length ?? 0;
  if (cr > 0 || (crlf > 0 && lf > 0)) return 'mixed';
  return crlf > 0 ? 'crlf' : 'lf';
}

/** As this encoding, or as the one that it seems to be in. `part` is of a file that was cut, maybe within a character. */
export function decode(bytes: Uint8Array, wanted: Encoding | null = null, part = false): Decoded {
  const mark = markOf(bytes);
  const encoding = wanted ?? mark ?? (isUtf8(bytes, part) ? 'utf-8' : 'latin-1');
  const bom = mark !== null && mark === encoding;
  const body = bom ? bytes.subarray(mark === 'utf-8' ? 3 : 2) : bytes;
  const text = encoding === 'latin-1' ? fromLatin1(body) : new TextDecoder(encoding, { ignoreBOM: true }).decode(body);
  return { text, encoding, bom, ending: endingOf(text) };
}

function isUtf8(bytes: Uint8Array, part: boolean): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: part });
    return true;
  } catch {
    return false;
  }
}

/** The first character that this encoding does not have; null where it has all. */
export function unwritable(text: string, encoding: Encoding): string | null {
  if (encoding !== 'latin-1') return null;
  // eslint-disable-next-line no-control-regex
  return /[^\u0000-\u00FF]/u.exec(text)?.[0] ?? null;
}

/** With the line endings that the text has. */
export function encode(text: string, encoding: Encoding, bom: boolean): Uint8Array<ArrayBuffer> {
  const mark = bom ? (MARKS.find(([name]) => name === encoding)?.[1] ?? []) : [];
  let body: Uint8Array;
  if (encoding === 'utf-8') body = new TextEncoder().encode(text);
  else if (encoding === 'latin-1') body = Uint8Array.from(text, (char) => char.charCodeAt(0));
  else {
    body = new Uint8Array(text.length * 2);
    const view = new DataView(body.buffer);
    for (let at = 0; at < text.length; at += 1) view.setUint16(at * 2, text.charCodeAt(at), encoding === 'utf-16le');
  }
  const bytes = new Uint8Array(mark.length + body.length);
  bytes.set(mark);
  bytes.set(body, mark.length);
  return bytes;
}

/** Text with lines that end in `\n`, as it is saved. */
export const withEnding = (text: string, ending: LineEnding): string => (ending === 'crlf' ? text.replace(/\r?\n/g, '\r\n') : text);
/** Text as the editor holds it. Mixed endings stay in it as they are, so that they are kept. */
export const forEditor = (text: string, ending: LineEnding): string => (ending === 'crlf' ? text.replace(/\r\n/g, '\n') : text);
