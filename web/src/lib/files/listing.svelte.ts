import { files } from '../api/files';
import { asError, type ApiError } from '../errors';
import { read, write } from '../storage';
import { filtered, sorted, type Order, type SortBy } from './natural';
import type { FileEntry } from './types';

const PAGE = 2000;
/** Larger folders are not refreshed automatically. */
const FOLLOWED = 5000;
const ORDER = 'files-order';

/** Gives one page of a folder, by name in byte order, how many entries there are, and the folder's ETag if it has one. */
export type ListPage = (
  path: string,
  page: { after?: string; limit?: number; unless?: string },
  signal?: AbortSignal
) => Promise<{ entries: FileEntry[]; total: number; etag: string | null }>;

function storedOrder(): Order {
  const [by, way] = (read(ORDER) ?? '').split(' ');
  return { by: by === 'size' || by === 'modified' ? by : 'name', down: way === 'down' };
}

/** One folder: it comes in pages, and the first can be seen at once. */
export class Listing {
  path = $state('/');
  entries = $state.raw<FileEntry[]>([]);
  /** How many there are, also while not all have come. */
  total = $state(0);
  /** How many have come. */
  come = $state(0);
  loading = $state(true);
  /** Whether nothing of this folder can be shown yet. */
  blank = $state(true);
  error = $state.raw<ApiError | null>(null);
  order = $state.raw<Order>(storedOrder());
  filter = $state('');
  #sorted = $derived(sorted(this.entries, this.order));
  rows = $derived(filtered(this.#sorted, this.filter));
  names = $derived(this.rows.map((entry) => entry.name));
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  byName = $derived(new Map(this.entries.map((entry) => [entry.name, entry])));
  #list: ListPage;
  #stop: AbortController | null = null;
  /** ETag of the shown state of the folder. */
  #etag: string | null = null;

  /** Of a server's files, or of others that are listed in the same way. */
  constructor(server: string, list: ListPage = files(server).list) {
    this.#list = list;
  }

  async open(path: string) {
    this.path = path;
    this.filter = '';
    this.blank = true;
    this.entries = [];
    await this.#load(false);
  }

  /** What is shown stays until the new list is there. */
  refresh = () => this.#load(!this.blank && this.error === null);

  /** Refreshes the list if entries were added or removed since; the check is cheap. */
  async follow() {
    if (this.loading || this.blank || this.error || !this.#etag || this.total > FOLLOWED) return;
    const { path } = this;
    try {
      const { etag } = await this.#list(path, { limit: 1, unless: this.#etag });
      if (etag !== this.#etag && path === this.path && !this.loading) await this.refresh();
    } catch {
      // The next action shows the error.
    }
  }

  close() {
    this.#stop?.abort();
  }

  sortBy(by: SortBy) {
    const down = this.order.by === by ? !this.order.down : by !== 'name';
    this.order = { by, down };
    write(ORDER, `${by} ${down ? 'down' : 'up'}`);
  }

  async #load(quiet: boolean) {
    this.#stop?.abort();
    const stop = new AbortController();
    this.#stop = stop;
    this.loading = true;
    const path = this.path;
    try {
      const list: FileEntry[] = [];
      for (let after: string | undefined; ; after = list.at(-1)?.name) {
        const { entries, total, etag } = await this.#list(path, { after, limit: PAGE }, stop.signal);
        if (stop.signal.aborted) return;
        if (after === undefined) this.#etag = etag;
        list.push(...entries);
        const done = entries.length < PAGE || list.length >= total;
        this.total = done ? list.length : total;
        this.come = list.length;
        // Sorting what has come after each page would take longer than the pages.
        if (done || (!quiet && list.length === entries.length)) this.entries = done ? list : [...list];
        this.blank = false;
        this.error = null;
        if (done) break;
      }
    } catch (thrown) {
      if (stop.signal.aborted) return;
      this.error = asError(thrown);
    }
    this.loading = false;
  }
}
