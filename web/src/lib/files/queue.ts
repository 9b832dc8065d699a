/** What becomes of one file that is uploaded: the steps, the breaks and the conflicts, apart from how bytes travel. */
import { ApiError } from '../errors';

export type UploadState = 'waiting' | 'running' | 'retrying' | 'paused' | 'conflict' | 'done' | 'failed' | 'skipped' | 'missing';
export type Answer = 'replace' | 'both' | 'skip';

export interface Upload {
  id: number;
  path: string;
  size: number;
  /** Absent after a reload, until the same file was chosen again. */
  file: File | null;
  name: string;
  modified: number;
  state: UploadState;
  sent: number;
  replace: boolean;
  /** Where its upload is at the panel, once it was announced. */
  url: string | null;
  error: ApiError | null;
}

/** How bytes travel. */
export interface Transport {
  /** Files of one request. */
  whole: (upload: Upload, signal: AbortSignal, progress: (sent: number) => void) => Promise<void>;
  create: (upload: Upload, signal: AbortSignal) => Promise<string>;
  offset: (url: string, signal: AbortSignal) => Promise<number>;
  piece: (url: string, file: Blob, from: number, signal: AbortSignal, progress: (sent: number) => void) => Promise<number>;
  remove: (url: string) => Promise<void>;
  /** A free name beside one that is taken. */
  freePath: (path: string) => Promise<string>;
}

export const AT_A_TIME = 3;
/** Up to here a file is one request: nothing that breaks off costs much. */
export const SMALL = 1024 * 1024;
const WAITS = [1000, 2000, 5000, 10_000, 20_000];

const isConflict = (error: unknown) => error instanceof ApiError && (error.status === 409 || error.status === 412);
/** What the network or a panel that restarts is to blame for. */
const passes = (error: unknown) => error instanceof ApiError && (error.code === 'network' || error.code === 'node_offline' || error.code === 'busy' || error.status === 429 || error.status === 502 || error.status === 503 || error.status === 504);

export class Queue {
  list: Upload[] = [];
  #next = 1;
  #running = new Map<number, AbortController>();
  /** What was answered for all conflicts that come. */
  #always: Answer | null = null;

  constructor(
    private readonly transport: Transport,
    /** Called when something of the list has changed. */
    private readonly changed: (upload: Upload | null) => void,
    private readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void> = sleep
  ) {}

  add(files: { path: string; file: File }[]) {
    if (!this.list.some((one) => isOpen(one.state))) this.#always = null;
    for (const { path, file } of files) {
      const known = this.list.find((one) => one.state === 'missing' && one.path === path && one.size === file.size && one.modified === file.lastModified);
      if (known) this.resume(known, file);
      else this.list.push({ id: this.#next++, path, size: file.size, file, name: file.name, modified: file.lastModified, state: 'waiting', sent: 0, replace: false, url: null, error: null });
    }
    this.changed(null);
    this.#fill();
  }

  /** Those that were begun before a reload. */
  restore(known: Pick<Upload, 'path' | 'size' | 'name' | 'modified' | 'url' | 'replace'>[]) {
    for (const one of known) this.list.push({ ...one, id: this.#next++, file: null, state: 'missing', sent: 0, error: null });
    this.changed(null);
  }

  /** Goes on with a file that was chosen again; false where it is another one. */
  resume(upload: Upload, file: File): boolean {
    if (file.size !== upload.size || file.name !== upload.name || file.lastModified !== upload.modified) return false;
    upload.file = file;
    this.#set(upload, 'waiting');
    this.#fill();
    return true;
  }

  pause(upload: Upload) {
    if (upload.state !== 'running' && upload.state !== 'waiting' && upload.state !== 'retrying') return;
    this.#set(upload, 'paused');
    this.#running.get(upload.id)?.abort();
  }

  go(upload: Upload) {
    if (upload.state !== 'paused' && upload.state !== 'failed') return;
    upload.error = null;
    this.#set(upload, 'waiting');
    this.#fill();
  }

  /** Takes it off the list, and what has arrived off the panel. */
  cancel(upload: Upload) {
    this.list = this.list.filter((one) => one !== upload);
    this.#running.get(upload.id)?.abort();
    if (upload.url && upload.state !== 'done') void this.transport.remove(upload.url).catch(() => {});
    this.changed(upload);
    this.#fill();
  }

  async answer(upload: Upload, answer: Answer, always: boolean) {
    if (always) this.#always = answer;
    const asked = always ? this.list.filter((one) => one.state === 'conflict') : [upload];
    for (const one of asked) await this.#take(one, answer);
    this.#fill();
  }

  clear() {
    this.list = this.list.filter((one) => one.state !== 'done' && one.state !== 'skipped');
    this.changed(null);
  }

  async #take(upload: Upload, answer: Answer) {
    if (answer === 'skip') return this.#set(upload, 'skipped');
    if (answer === 'replace') upload.replace = true;
    else upload.path = await this.transport.freePath(upload.path).catch(() => upload.path);
    this.#set(upload, 'waiting');
  }

  #fill() {
    for (const upload of this.list) {
      if (this.#running.size >= AT_A_TIME) return;
      if (upload.state === 'waiting' && upload.file && !this.#running.has(upload.id)) void this.#run(upload);
    }
  }

  #set(upload: Upload, state: UploadState) {
    upload.state = state;
    this.changed(upload);
  }

  async #run(upload: Upload) {
    const stop = new AbortController();
    this.#running.set(upload.id, stop);
    this.#set(upload, 'running');
    try {
      await this.#send(upload, stop.signal);
      upload.sent = upload.size;
      this.#set(upload, 'done');
    } catch (thrown) {
      if (!stop.signal.aborted) {
        upload.error = thrown instanceof ApiError ? thrown : new ApiError('unexpected', String(thrown));
        // A conflict after the first byte is not one of names.
        if (isConflict(thrown) && !upload.replace && upload.url === null) {
          if (this.#always) await this.#take(upload, this.#always);
          else this.#set(upload, 'conflict');
        } else this.#set(upload, 'failed');
      }
    } finally {
      this.#running.delete(upload.id);
      this.#fill();
    }
  }

  async #send(upload: Upload, signal: AbortSignal) {
    const file = upload.file;
    if (!file) return;
    const progress = (sent: number) => {
      upload.sent = sent;
      this.changed(upload);
    };
    for (let failed = 0; ; ) {
      try {
        if (file.size <= SMALL) return await this.transport.whole(upload, signal, progress);
        if (upload.url === null) {
          upload.url = await this.transport.create(upload, signal);
          this.changed(upload);
          upload.sent = 0;
        } else upload.sent = await this.transport.offset(upload.url, signal);
        while (upload.sent < file.size) {
          upload.sent = await this.transport.piece(upload.url, file, upload.sent, signal, progress);
          failed = 0;
          this.changed(upload);
        }
        return;
      } catch (thrown) {
        if (signal.aborted) throw thrown;
        const gone = upload.url !== null && thrown instanceof ApiError && (thrown.status === 404 || thrown.status === 410);
        // What had arrived was thrown away meanwhile, or another offset is there than was thought.
        if (gone) upload.url = null;
        else if (!passes(thrown) && !(upload.url !== null && isConflict(thrown) && failed < 2)) throw thrown;
        const pause = WAITS[Math.min(failed, WAITS.length - 1)] ?? 1000;
        failed += 1;
        if (gone && failed > 2) throw thrown;
        this.#set(upload, 'retrying');
        await this.wait(pause, signal);
        this.#set(upload, 'running');
      }
    }
  }
}

export const isOpen = (state: UploadState): boolean => state === 'waiting' || state === 'running' || state === 'retrying' || state === 'conflict' || state === 'paused';

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    // A network that is back is not waited for.
    window.addEventListener('online', () => resolve(), { once: true, signal });
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new DOMException('', 'AbortError'));
    });
  });
}
