/**
 * Draws the console's rows that are in sight, once a frame, however many came. Not a Svelte list, which would compare
 * thousands of rows each frame. Rows stay real text, for selection and for screen readers.
 */
import { ConsoleBuffer } from './buffer';
import { Layout } from './layout';
import { mark } from './marks';
import { draw, drawPartial, type Look, type Times } from './row';
import { selected } from './selection';

/** How near to the end counts as being there, and how much is drawn beyond what is in sight, in pixels. */
const NEAR = 24;
const OVERSCAN = 400;
/** While the end is followed nobody scrolls: the little that guesses may be wrong by. */
const FOLLOWING_OVERSCAN = 60;
/** Characters that a time takes, with the space behind it. */
const TIME = 9;
/** More rows than this at once are not read out. */
const READ_OUT = 5;

export class LogView {
  readonly #rows = new Map<number, HTMLElement>();
  readonly #layout: Layout;
  /** As high as all rows would be. */
  readonly #all = document.createElement('div');
  /** The line that has not ended yet; it is replaced in place, below all rows. */
  readonly #partial = document.createElement('div');
  readonly #probe = document.createElement('span');
  readonly #resized: ResizeObserver;
  #frame = 0;
  #height = 0;
  #partialHeight = 0;
  #lastTop = 0;
  #following = true;
  /** What stands at the upper edge while one reads further up, and how far it is scrolled out, in pixels. */
  #anchor = { id: 0, delta: 0 };
  #pinned: number[] = [];
  #drawnEnd = 0;
  #leftAt = 0;
  #drawnRun = 0;
  #wanted: RegExp | null = null;
  #current: number | null = null;
  #times: Times = 'day';
  #wrap = true;
  #startedAt: number | null = null;
  /** Called when following ends or begins again, and with the rows that came meanwhile. */
  onFollow: (following: boolean, unseen: number) => void = () => {};

  constructor(
    readonly host: HTMLElement,
    readonly buffer: ConsoleBuffer
  ) {
    this.#layout = new Layout(buffer);
    this.#all.className = 'all';
    // It may change ten times a second: nothing to be read out.
    this.#partial.setAttribute('aria-live', 'off');
    this.#probe.className = 'probe';
    this.#probe.setAttribute('aria-hidden', 'true');
    this.#probe.textContent = '0'.repeat(100);
    this.#all.append(this.#partial);
    host.append(this.#all, this.#probe);
    host.addEventListener('scroll', this.#onScroll, { passive: true });
    host.addEventListener('copy', this.#onCopy);
    document.addEventListener('selectionchange', this.#onSelect);
    this.#resized = new ResizeObserver(() => this.#measure());
    this.#resized.observe(host);
    this.#measure();
  }

  destroy() {
    cancelAnimationFrame(this.#frame);
    this.#resized.disconnect();
    this.host.removeEventListener('scroll', this.#onScroll);
    this.host.removeEventListener('copy', this.#onCopy);
    document.removeEventListener('selectionchange', this.#onSelect);
    this.host.replaceChildren();
    mark([], null, null);
  }

  /** The buffer has changed; it is drawn with the next frame. */
  update(cleared = false) {
    if (cleared) {
      this.#forget();
      this.#setFollowing(true);
    }
    if (this.#frame === 0) this.#frame = requestAnimationFrame(this.#draw);
  }

  /** All that is drawn is drawn anew. */
  show(look: { times: Times; wrap: boolean }) {
    this.#times = look.times;
    this.#wrap = look.wrap;
    this.#forget();
    this.#measure();
  }

  /** When the run began that runs now, where the console's lines do not tell. */
  since(startedAt: number | null) {
    if (startedAt === this.#startedAt) return;
    this.#startedAt = startedAt;
    if (this.#times !== 'run') return;
    this.#forget();
    this.update();
  }

  follow() {
    this.#setFollowing(true);
    this.update();
  }

  /** Brings a row into sight; following ends. */
  reveal(id: number) {
    this.#setFollowing(false);
    this.#anchor = { id, delta: -Math.round(this.#height / 2) };
    this.update();
  }

  toStart() {
    this.#setFollowing(false);
    this.#anchor = { id: this.buffer.first, delta: 0 };
    this.update();
  }

  /** Marks what holds the searched text. */
  mark(wanted: RegExp | null, current: number | null) {
    this.#wanted = wanted;
    this.#current = current;
    mark(this.#rows.values(), wanted, current);
  }

  /** Everything, from the first row on, also what is not drawn. */
  selectAll() {
    const last = this.buffer.end - 1;
    if (last < this.buffer.first) return;
    this.#pinned = [this.buffer.first, last];
    this.#drawNow();
    const [from, to] = [this.#rows.get(this.buffer.first), this.#rows.get(last)];
    if (from && to) getSelection()?.setBaseAndExtent(from, 0, to, to.childNodes.length);
  }

  #measure() {
    const style = getComputedStyle(this.host);
    const line = Number.parseFloat(style.lineHeight) || 19;
    const width = this.#probe.getBoundingClientRect().width / 100 || 8;
    const columns = this.#wrap ? Math.max(10, Math.floor((this.host.clientWidth - 24) / width)) : Infinity;
    this.#height = this.host.clientHeight;
    this.#layout.configure({ line, mark: line + 8, columns, time: this.#times === 'off' ? 0 : TIME });
    for (const [id, row] of this.#rows) this.#layout.measured(id, row.offsetHeight);
    this.update();
  }

  #draw = () => {
    this.#frame = 0;
    this.#drawNow();
  };

  #drawNow() {
    const came = this.buffer.end - this.#drawnEnd;
    this.buffer.trim(this.#following ? null : this.#anchor.id);
    // A screen reader is not to read out a flood, nor what one scrolls over, nor the lines that were there before.
    this.host.setAttribute('aria-live', this.#following && came > 0 && came <= READ_OUT && this.#drawnEnd > 0 ? 'polite' : 'off');
    this.#drawPartial();
    if (this.buffer.latestRun !== this.#drawnRun) {
      this.#drawnRun = this.buffer.latestRun;
      for (const [id, row] of this.#rows) if (row.classList.contains('row')) row.classList.toggle('earlier', id < this.#drawnRun);
    }
    // What was guessed is known once it is drawn: then it may be that less fits, or more.
    for (let pass = 0; pass < 3 && this.#place(); pass += 1);
    const total = this.#layout.total();
    let [last, y] = [0, 0];
    for (const row of this.#all.children) {
      if (!(row instanceof HTMLElement) || row.dataset.row === undefined) continue;
      const id = Number(row.dataset.row);
      y = last > 0 && id === last + 1 ? y + this.#layout.height(last) : this.#layout.offset(id);
      last = id;
      row.style.transform = `translateY(${y}px)`;
    }
    this.#partial.style.transform = `translateY(${total}px)`;
    this.#all.style.height = `${total + this.#partialHeight}px`;
    const top = this.#top(total);
    if (Math.abs(top - this.host.scrollTop) >= 1) this.host.scrollTop = top;
    this.#lastTop = this.host.scrollTop;
    if (this.#wanted) mark(this.#rows.values(), this.#wanted, this.#current);
    this.#drawnEnd = this.buffer.end;
    if (!this.#following) this.onFollow(false, this.buffer.end - this.#leftAt);
  }

  /** Draws what is in sight and lets go of the rest; whether something is higher or lower than it was thought to be. */
  #place(): boolean {
    const top = this.#top(this.#layout.total());
    const beyond = this.#following ? FOLLOWING_OVERSCAN : OVERSCAN;
    const wanted = new Set(this.#layout.between(top - beyond, top + this.#height + beyond));
    for (const id of this.#pinned) if (this.buffer.row(id)) wanted.add(id);
    for (const [id, row] of this.#rows) {
      if (wanted.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    const fresh: [number, HTMLElement][] = [];
    // Rows that stand already are never moved: a selection that begins in one would be lost.
    let next: Element | null = this.#all.firstElementChild;
    for (const id of [...wanted].sort((a, b) => a - b)) {
      const known = this.#rows.get(id);
      if (known) {
        next = known.nextElementSibling;
        continue;
      }
      const made = this.#make(id);
      if (!made) continue;
      this.#all.insertBefore(made, next);
      this.#rows.set(id, made);
      if (!this.#layout.certain(id)) fresh.push([id, made]);
    }
    let changed = false;
    for (const [id, row] of fresh) changed = this.#layout.measured(id, row.offsetHeight) || changed;
    return changed;
  }

  #make(id: number): HTMLElement | null {
    const row = this.buffer.row(id);
    if (!row) return null;
    const box = document.createElement('div');
    box.dataset.row = String(id);
    const run = row.kind === 'line' && this.#times === 'run' ? this.#runOf(id, row.time) : null;
    draw(box, row, { times: this.#times, run, earlier: id < this.buffer.latestRun });
    return box;
  }

  #drawPartial() {
    const line = this.buffer.partial;
    if (line) {
      const look: Look = { times: this.#times, run: this.#times === 'run' ? this.#runOf(this.buffer.end, Date.parse(line.time)) : null, earlier: false };
      drawPartial(this.#partial, line, look);
      this.#partialHeight = this.#partial.offsetHeight;
    } else if (this.#partialHeight > 0 || this.#partial.className !== '') {
      this.#partial.className = '';
      this.#partial.replaceChildren();
      this.#partialHeight = 0;
    }
  }

  #runOf(id: number, time: number): number | null {
    return this.buffer.runOf(id) ?? (this.#startedAt !== null && time >= this.#startedAt ? this.#startedAt : null);
  }

  #top(total: number): number {
    const most = Math.max(0, total + this.#partialHeight - this.#height);
    return this.#following ? most : Math.min(most, Math.max(0, this.#layout.offset(this.#anchor.id) + this.#anchor.delta));
  }

  #onScroll = () => {
    const { scrollTop } = this.host;
    if (Math.abs(scrollTop - this.#lastTop) < 1) return;
    const end = this.#all.offsetHeight - this.#height;
    if (end - scrollTop <= NEAR) this.#setFollowing(true);
    else if (scrollTop < this.#lastTop) this.#setFollowing(false);
    if (!this.#following) {
      const id = this.#layout.between(scrollTop, scrollTop + 1)[0] ?? this.buffer.first;
      this.#anchor = { id, delta: scrollTop - this.#layout.offset(id) };
    }
    this.#lastTop = scrollTop;
    this.update();
  };

  #onSelect = () => {
    const found = selected(this.host);
    this.#pinned = found ? [found.from.id, found.to.id] : [];
    if (found && this.#following) this.#stay();
  };

  /** The place that one looks at stays, whatever comes. */
  #stay() {
    const { scrollTop } = this.host;
    this.#setFollowing(false);
    const id = this.#layout.between(scrollTop, scrollTop + 1)[0] ?? this.buffer.first;
    this.#anchor = { id, delta: scrollTop - this.#layout.offset(id) };
  }

  #onCopy = (event: ClipboardEvent) => {
    const found = selected(this.host);
    if (!found || !event.clipboardData) return;
    event.clipboardData.setData('text/plain', this.buffer.between(found.from, found.to));
    event.preventDefault();
  };

  #forget() {
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
    this.#pinned = [];
  }

  #setFollowing(following: boolean) {
    if (following === this.#following) return;
    this.#following = following;
    this.#leftAt = this.#drawnEnd;
    this.onFollow(following, 0);
  }
}
