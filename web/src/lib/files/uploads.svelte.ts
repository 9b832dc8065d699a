/** Uploads of one server. They go on while one looks at other pages. */
import { files } from '../api/files';
import * as tus from '../api/tus';
import { read, write } from '../storage';
import { freeName, join, nameOf, parentOf, splitEnding } from './paths';
import { isOpen, Queue, type Answer, type Upload } from './queue';

/** More rows than this are a number. */
const SHOWN = 60;
/** More unfinished uploads than this are not offered again after a reload. */
const KEPT = 50;
// eslint-disable-next-line svelte/prefer-svelte-reactivity
const known = new Map<string, Uploads>();

export class Uploads {
  /** Counts changes; the queue itself is no state. */
  #version = $state(0);
  #frame = 0;
  #stored = '';
  #rate = { at: 0, sent: 0, perSecond: 0 };
  readonly queue: Queue;
  /** Called with the folders that have new files, at most twice a second. */
  onArrived: () => void = () => {};
  #arrived: ReturnType<typeof setTimeout> | undefined;

  private constructor(
    readonly server: string,
    private readonly place: string
  ) {
    const api = files(server);
    this.queue = new Queue(
      {
        whole: async (upload, signal, progress) => void (await api.write(upload.path, upload.file ?? new Blob(), { fresh: !upload.replace, progress, signal })),
        create: (upload, signal) => tus.create(server, upload.path, upload.size, upload.replace, signal),
        offset: tus.offset,
        piece: tus.piece,
        remove: tus.remove,
        freePath: (path) => freePath(server, path)
      },
      (upload) => this.#changed(upload)
    );
    this.#restore();
    window.addEventListener('beforeunload', (event) => {
      if (this.queue.list.some((one) => one.state === 'running' || one.state === 'waiting' || one.state === 'retrying')) event.preventDefault();
    });
  }

  /** Each account's own: whoever signs in next is shown none of them. */
  static of(server: string, account: string): Uploads {
    const place = `uploads:${account}:${server}`;
    let uploads = known.get(place);
    if (!uploads) known.set(place, (uploads = new Uploads(server, place)));
    return uploads;
  }

  all = $derived.by(() => this.#at(this.queue.list));
  /** What matters first: what runs and what waits for an answer, then what failed. */
  shown = $derived.by(() => {
    const rank = (one: Upload) => ({ conflict: 0, running: 1, retrying: 1, failed: 2, missing: 2, paused: 3, waiting: 4, skipped: 5, done: 6 })[one.state];
    return [...this.all].sort((a, b) => rank(a) - rank(b) || a.id - b.id).slice(0, SHOWN);
  });
  open = $derived(this.all.filter((one) => isOpen(one.state)).length);
  done = $derived(this.all.filter((one) => one.state === 'done').length);
  failed = $derived(this.all.filter((one) => one.state === 'failed').length);
  paused = $derived(this.open > 0 && this.all.every((one) => !isOpen(one.state) || one.state === 'paused'));
  conflict = $derived(this.all.find((one) => one.state === 'conflict') ?? null);
  conflicts = $derived(this.all.filter((one) => one.state === 'conflict').length);
  bytes = $derived.by(() => {
    const counted = this.all.filter((one) => one.state !== 'skipped' && one.state !== 'missing');
    return { sent: counted.reduce((sum, one) => sum + one.sent, 0), size: counted.reduce((sum, one) => sum + one.size, 0) };
  });
  perSecond = $derived.by(() => this.#measure(this.bytes.sent));

  pauseAll() {
    for (const one of this.queue.list) this.queue.pause(one);
  }
  goAll() {
    for (const one of this.queue.list) if (one.state === 'paused') this.queue.go(one);
  }
  retryAll() {
    for (const one of this.queue.list) if (one.state === 'failed') this.queue.go(one);
  }
  cancelAll() {
    for (const one of [...this.queue.list]) if (one.state !== 'done') this.queue.cancel(one);
    this.queue.clear();
  }
  answer(upload: Upload, answer: Answer, always: boolean) {
    return this.queue.answer(upload, answer, always);
  }

  #at(list: Upload[]): Upload[] {
    return this.#version >= 0 ? list.map((one) => ({ ...one })) : [];
  }

  /** The upload itself, of a row that shows it. */
  origin(row: Upload): Upload | undefined {
    return this.queue.list.find((one) => one.id === row.id);
  }

  #measure(sent: number): number {
    const now = performance.now();
    if (sent < this.#rate.sent || this.#rate.at === 0) this.#rate = { at: now, sent, perSecond: 0 };
    const seconds = (now - this.#rate.at) / 1000;
    if (seconds >= 1) this.#rate = { at: now, sent, perSecond: (sent - this.#rate.sent) / seconds };
    return this.#rate.perSecond;
  }

  #changed(upload: Upload | null) {
    if (upload?.state === 'done') {
      clearTimeout(this.#arrived);
      this.#arrived = setTimeout(() => this.onArrived(), 300);
    }
    this.#keep();
    if (this.#frame !== 0) return;
    this.#frame = window.setTimeout(() => {
      this.#frame = 0;
      this.#version += 1;
    }, 60);
  }

  #keep() {
    const open = this.queue.list
      .filter((one) => one.url !== null && one.state !== 'done' && one.state !== 'skipped')
      .slice(0, KEPT)
      .map(({ path, size, name, modified, url, replace }) => ({ path, size, name, modified, url, replace }));
    const text = open.length > 0 ? JSON.stringify(open) : '';
    if (text === this.#stored) return;
    this.#stored = text;
    write(this.place, text === '' ? null : text);
  }

  #restore() {
    try {
      const found: unknown = JSON.parse(read(this.place) ?? '[]');
      if (!Array.isArray(found)) return;
      const whole = found.filter((one) => typeof one?.path === 'string' && typeof one.size === 'number' && typeof one.name === 'string' && typeof one.url === 'string');
      this.queue.restore(whole);
    } catch {
      // Kept by another version of the page.
    }
  }
}

/** A name beside this one that nobody has yet. Folders are listed by name, so what begins alike comes together. */
export async function freePath(server: string, path: string): Promise<string> {
  const [folder, name] = [parentOf(path), nameOf(path)];
  const [stem] = splitEnding(name);
  const { entries } = await files(server).list(folder, { after: `${stem} (`, limit: 1000 });
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  const names = new Set(entries.map((entry) => entry.name));
  return join(folder, freeName(name, (one) => one === name || names.has(one)));
}
