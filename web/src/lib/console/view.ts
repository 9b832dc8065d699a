/**
 * Draws console rows into the page. Not a Svelte list: a flood of lines would have it compare thousands of rows each
 * frame. Rows stand in blocks that the browser may skip while they are out of sight, and everything stays real text:
 * the browser's own search, selection and screen readers work on it. Text is set as text only, never as markup.
 */
import { clock } from '../format';
import type { PartialLine, Row } from './buffer';
import { parse, plain, readable, type Piece } from './sgr';
import { t } from '../i18n/i18n.svelte';

const BLOCK = 100;
/** How near to the end counts as being there, in pixels. */
const NEAR = 24;
/** Rows above this in one go are drawn no oftener than every 80 ms, in a flood every 250 ms. */
const BUSY = 200;
const FLOOD = 1000;

export class LogView {
  #pending: Row[] = [];
  /** The line that has not ended yet; it is replaced in place, below all rows. */
  #partial = document.createElement('div');
  #shown: PartialLine | null = null;
  #frame = 0;
  #drawn = 0;
  #lastTop = 0;
  #following = true;
  #resized: ResizeObserver;
  /** Called when following ends or begins again, and with the rows that came meanwhile. */
  onFollow: (following: boolean, unseen: number) => void = () => {};
  #unseen = 0;

  constructor(
    readonly host: HTMLElement,
    readonly capacity: number
  ) {
    // It may change ten times a second: nothing to be read out.
    this.#partial.setAttribute('aria-live', 'off');
    host.append(this.#partial);
    host.addEventListener('scroll', this.#onScroll, { passive: true });
    this.#resized = new ResizeObserver(() => this.#following && this.#toEnd());
    this.#resized.observe(host);
  }

  get following() {
    return this.#following;
  }

  destroy() {
    cancelAnimationFrame(this.#frame);
    this.#resized.disconnect();
    this.host.removeEventListener('scroll', this.#onScroll);
  }

  append(rows: Row[]) {
    if (rows.length === 0) return;
    this.#pending.push(...rows);
    // More than fits is never drawn at all.
    if (this.#pending.length > this.capacity) this.#pending.splice(0, this.#pending.length - this.capacity);
    this.#schedule();
  }

  /** Drawn together with the rows that were given before. */
  setPartial(partial: PartialLine | null) {
    if (partial === this.#shown) return;
    this.#shown = partial;
    this.#schedule();
  }

  clear() {
    this.#pending = [];
    this.host.replaceChildren(this.#partial);
    this.#setFollowing(true);
  }

  follow() {
    this.#setFollowing(true);
    this.#toEnd();
  }

  /** Brings a row into sight; following ends. */
  reveal(id: number) {
    const row = this.#row(id);
    if (!row) return;
    this.#setFollowing(false);
    row.scrollIntoView({ block: 'center' });
    this.#lastTop = this.host.scrollTop;
  }

  /** Marks the rows that hold the searched text, and the text in them where the browser can. */
  mark(ids: number[], current: number | null, text: string) {
    for (const row of this.host.querySelectorAll('.hit')) row.classList.remove('hit', 'current');
    const ranges: Range[] = [];
    for (const id of ids) {
      const row = this.#row(id);
      if (!row) continue;
      row.classList.add('hit');
      if (id === current) row.classList.add('current');
      if (ranges.length < 2000) ranges.push(...rangesIn(row, text.toLowerCase()));
    }
    if (typeof Highlight === 'undefined') return;
    if (ranges.length > 0) CSS.highlights.set('console-search', new Highlight(...ranges));
    else CSS.highlights.delete('console-search');
  }

  #schedule() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(this.#draw);
  }

  #row(id: number): HTMLElement | null {
    return this.host.querySelector(`[data-row="${id}"]`);
  }

  #draw = (time: number) => {
    this.#frame = 0;
    const pause = this.#pending.length > FLOOD ? 250 : this.#pending.length > BUSY ? 80 : 0;
    if (time - this.#drawn < pause) {
      this.#frame = requestAnimationFrame(this.#draw);
      return;
    }
    this.#drawn = time;
    const rows = this.#pending;
    this.#pending = [];
    // A screen reader is not to read out a flood, nor the lines that were there before.
    this.host.setAttribute('aria-live', rows.length > 5 ? 'off' : 'polite');
    for (const row of rows) this.#block().append(element(row));
    if (this.#shown) draw(this.#partial, this.#shown);
    else {
      this.#partial.className = '';
      this.#partial.replaceChildren();
    }
    this.#trim();
    if (this.#following) this.#toEnd();
    else if (rows.length > 0) {
      this.#unseen += rows.length;
      this.onFollow(false, this.#unseen);
    }
  };

  #block(): Element {
    const last = this.#partial.previousElementSibling;
    if (last && last.childElementCount < BLOCK) return last;
    last?.classList.add('full');
    const block = document.createElement('div');
    block.className = 'block';
    this.#partial.before(block);
    return block;
  }

  /** Whole blocks go from the top; while somebody reads further up, twice as much may stay. */
  #trim() {
    const keep = (this.#following ? this.capacity : this.capacity * 2) / BLOCK + 1;
    while (this.host.childElementCount - 1 > keep) {
      const height = this.host.scrollHeight;
      this.host.firstElementChild?.remove();
      if (!this.#following && !CSS.supports('overflow-anchor', 'auto')) {
        this.host.scrollTop -= height - this.host.scrollHeight;
      }
    }
  }

  #onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = this.host;
    if (scrollHeight - scrollTop - clientHeight <= NEAR) this.#setFollowing(true);
    else if (scrollTop < this.#lastTop - 1) this.#setFollowing(false);
    this.#lastTop = scrollTop;
  };

  #toEnd() {
    this.host.scrollTop = this.host.scrollHeight;
    this.#lastTop = this.host.scrollTop;
  }

  #setFollowing(following: boolean) {
    if (following) this.#unseen = 0;
    if (following === this.#following) return;
    this.#following = following;
    this.onFollow(following, this.#unseen);
  }
}

function element(row: Row): HTMLElement {
  const box = document.createElement('div');
  box.dataset.row = String(row.id);
  if (row.kind !== 'line') {
    box.className = 'mark';
    box.textContent =
      row.kind === 'skipped'
        ? t.console.skippedLines(row.count)
        : t.console.restarted;
    return box;
  }
  draw(box, row.line);
  return box;
}

function draw(box: HTMLElement, line: PartialLine) {
  box.className = line.stream === 'stdout' ? 'row' : `row ${line.stream}`;
  const time = document.createElement('time');
  time.dateTime = line.time;
  time.textContent = clock(line.time);
  const text = document.createElement('span');
  text.className = 'text';
  const pieces = parse(line.text);
  if (pieces.length === 1 && Object.keys(pieces[0] ?? {}).length === 1) text.textContent = plain(line.text);
  else text.append(...pieces.map(coloured));
  box.replaceChildren(time, text);
  if (line.truncated) {
    const more = document.createElement('span');
    more.className = 'cut';
    more.textContent = ` … ${t.console.cut}`;
    box.append(more);
  }
}

function coloured(piece: Piece): HTMLElement {
  const span = document.createElement('span');
  span.textContent = piece.text;
  const names = (['bold', 'dim', 'italic', 'underline', 'strike'] as const).filter((name) => piece[name]);
  span.classList.add(...names);
  const [fg, bg] = piece.inverse ? [piece.bg ?? 0, piece.fg ?? 15] : [piece.fg, piece.bg];
  if (typeof fg === 'number') span.classList.add(`fg${fg}`);
  else if (fg !== undefined) span.style.color = bg === undefined ? readable(fg) : fg;
  if (typeof bg === 'number') span.classList.add(`bg${bg}`);
  else if (bg !== undefined) span.style.backgroundColor = bg;
  return span;
}

function rangesIn(row: HTMLElement, wanted: string): Range[] {
  const body = row.querySelector('.text');
  if (!body || wanted === '') return [];
  const nodes: Text[] = [];
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) nodes.push(walker.currentNode as Text);
  const all = (body.textContent ?? '').toLowerCase();
  const ranges: Range[] = [];
  for (let at = all.indexOf(wanted); at !== -1; at = all.indexOf(wanted, at + wanted.length)) {
    const start = locate(nodes, at);
    const end = locate(nodes, at + wanted.length, true);
    if (!start || !end) break;
    const range = document.createRange();
    range.setStart(...start);
    range.setEnd(...end);
    ranges.push(range);
  }
  return ranges;
}

function locate(nodes: Text[], offset: number, end = false): [Text, number] | null {
  let left = offset;
  for (const node of nodes) {
    if (left < node.length || (end && left === node.length)) return [node, left];
    left -= node.length;
  }
  return null;
}
