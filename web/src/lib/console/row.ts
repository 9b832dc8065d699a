/** One row of the console as an element. Text is set as text only, never as markup. */
import { clock, dateTime } from '../format';
import type { PartialLine } from './buffer';
import type { Row } from './chunk';
import { split } from './links';
import { parse, readable, type Piece } from './sgr';
import { t } from '../i18n/i18n.svelte';

export type Times = 'day' | 'run' | 'off';

export interface Look {
  times: Times;
  /** When the run began to which the row belongs; null where that is not known. */
  run: number | null;
  /** It is of a run before the newest one. */
  earlier: boolean;
}

export function draw(box: HTMLElement, row: Row, look: Look) {
  if (row.kind !== 'line') {
    box.className = 'mark';
    box.classList.toggle('run', row.kind === 'run');
    box.textContent =
      row.kind === 'skipped' ? t.console.skippedLines(row.count) : row.kind === 'reset' ? t.console.restarted : t.console.runBegan(dateTime(new Date(row.time).toISOString()));
    return;
  }
  box.className = row.stream === 'stdout' ? 'row' : `row ${row.stream}`;
  if (look.earlier) box.classList.add('earlier');
  fill(box, row.time, row.text, row.truncated, look);
}

export function drawPartial(box: HTMLElement, line: PartialLine, look: Look) {
  box.className = line.stream === 'stdout' ? 'row' : `row ${line.stream}`;
  fill(box, Date.parse(line.time), line.text, line.truncated ?? false, look);
}

function fill(box: HTMLElement, at: number, line: string, truncated: boolean, look: Look) {
  const parts: HTMLElement[] = [];
  if (look.times !== 'off') {
    const time = document.createElement('time');
    if (!Number.isNaN(at)) time.dateTime = new Date(at).toISOString();
    time.textContent = look.times === 'day' ? clock(at) : ofRun(at, look.run);
    parts.push(time);
  }
  const text = document.createElement('span');
  text.className = 'text';
  for (const piece of parse(line)) text.append(...drawn(piece));
  parts.push(text);
  if (truncated) {
    const more = document.createElement('span');
    more.className = 'cut';
    more.textContent = ` … ${t.console.cut}`;
    parts.push(more);
  }
  box.replaceChildren(...parts);
}

/** "0:12:05" since the run began. */
function ofRun(at: number, began: number | null): string {
  if (began === null || Number.isNaN(at) || at < began) return '-:--:--';
  const seconds = Math.floor((at - began) / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** Pieces without any style are text alone. */
function drawn(piece: Piece): Node[] {
  const styled = Object.keys(piece).length > 1;
  return split(piece.text).map(({ text, href }) => {
    if (!styled && href === undefined) return document.createTextNode(text);
    const span = document.createElement('span');
    span.textContent = text;
    if (styled) style(span, piece);
    if (href !== undefined) {
      // Not an <a>: no click, whichever key or button goes with it, may open it without having been asked.
      span.classList.add('link');
      span.setAttribute('role', 'link');
      span.tabIndex = 0;
      span.dataset.href = href;
    }
    return span;
  });
}

const NAMES = ['bold', 'dim', 'italic', 'underline', 'double', 'overline', 'strike'] as const;

function style(span: HTMLElement, piece: Piece) {
  span.classList.add(...NAMES.filter((name) => piece[name]));
  if (piece.inverse) {
    span.style.color = piece.bg === undefined ? 'var(--sunken)' : css(piece.bg);
    span.style.backgroundColor = piece.fg === undefined ? 'var(--term-text)' : css(piece.fg);
    return;
  }
  const { fg, bg } = piece;
  if (typeof fg === 'number') span.classList.add(`fg${fg}`);
  else if (fg !== undefined) span.style.color = bg === undefined ? readable(fg) : fg;
  if (typeof bg === 'number') span.classList.add(`bg${bg}`);
  else if (bg !== undefined) span.style.backgroundColor = bg;
}

const css = (colour: number | string) => (typeof colour === 'number' ? `var(--term-${colour})` : colour);
