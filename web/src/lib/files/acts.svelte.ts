/** What one does with files: the calls, the questions in between, and how it is undone. */
import { files } from '../api/files';
import { ApiError } from '../errors';
import { toasts } from '../ui/toasts.svelte';
import { Jobs } from './jobs.svelte';
import { join, nameOf, parentOf, shown, within } from './paths';
import type { Answer } from './queue';
import { f } from './texts.svelte';
import { freePath } from './uploads.svelte';
import { t } from '../i18n/i18n.svelte';
import type { Job } from './types';

export interface Question {
  name: string;
  /** Whether there are more to come. */
  more: boolean;
  answer: (answer: Answer | null, always: boolean) => void;
}

const exists = (thrown: unknown) => thrown instanceof ApiError && thrown.status === 409 && thrown.code !== 'busy';

/** What was cut or copied, on any server that is open in this tab. */
export const clipboard = $state<{ server: string; paths: string[]; cut: boolean }>({ server: '', paths: [], cut: false });

export class Acts {
  readonly api;
  /** What is there already, while somebody is asked what to do with it. */
  question = $state.raw<Question | null>(null);

  constructor(
    readonly server: string,
    readonly jobs: Jobs,
    private readonly refresh: () => void
  ) {
    this.api = files(server);
  }

  /** Runs something and shows the list anew; failures are shown. */
  async run<T>(what: string, act: () => Promise<T>): Promise<T | null> {
    try {
      return await act();
    } catch (thrown) {
      toasts.failed(what, thrown);
      return null;
    } finally {
      this.refresh();
    }
  }

  /** A job to its end; null where it was cancelled or has failed, which was said. */
  async job(what: string, begin: () => Promise<Job>): Promise<Job | null> {
    const job = await this.run(what, async () => this.jobs.finish(await begin()));
    if (!job || job.state === 'cancelled') return null;
    const skipped = job.skippedCount ?? 0;
    if (skipped > 0) toasts.error(f.someSkipped(skipped), (job.skipped ?? []).slice(0, 3).map(({ path, reason }) => `${shown(path)}: ${reason}`).join('\n'));
    return job;
  }

  async remove(paths: string[], permanent: boolean) {
    const job = await this.job(f.notDeleted, () => this.api.remove(paths, permanent));
    if (!job) return;
    const what = paths.length === 1 ? shown(nameOf(paths[0] ?? '')) : f.items(paths.length);
    const ids = (job.trashed ?? []).map(({ id }) => id);
    if (permanent || ids.length === 0) toasts.ok(t.common.deleted(what));
    else toasts.ok(f.trashed(what), '', { label: f.undo, run: () => void this.restore(ids) });
  }

  async restore(ids: string[]): Promise<boolean> {
    const job = await this.job(f.notRestored, () => this.api.restore(ids));
    if (job) toasts.ok(f.restored);
    return job !== null;
  }

  /** Moves or copies into a folder. */
  async transfer(paths: string[], to: string, copy: boolean) {
    const sources = paths.filter((path) => !within(to, path) && (copy || parentOf(path) !== to));
    if (sources.length < paths.length && sources.length === 0) {
      if (paths.some((path) => path !== to && within(to, path))) toasts.error(f.intoItself);
      return;
    }
    const moved: [from: string, to: string][] = [];
    let always: Answer | null = null;
    for (const [at, path] of sources.entries()) {
      let target = join(to, nameOf(path));
      if (copy && target === path) target = await freePath(this.server, path).catch(() => target);
      try {
        await this.#one(path, target, copy, false);
      } catch (thrown) {
        if (!exists(thrown)) {
          toasts.failed(copy ? f.notCopied(shown(nameOf(path))) : f.notMoved(shown(nameOf(path))), thrown);
          break;
        }
        const said: { answer: Answer | null; always: boolean } = always ? { answer: always, always: true } : await this.#ask(nameOf(path), at < sources.length - 1);
        if (said.answer === null) break;
        if (said.always) always = said.answer;
        if (said.answer === 'skip') continue;
        try {
          if (said.answer === 'both') target = await freePath(this.server, target);
          await this.#one(path, target, copy, said.answer === 'replace');
        } catch (again) {
          toasts.failed(copy ? f.notCopied(shown(nameOf(path))) : f.notMoved(shown(nameOf(path))), again);
          break;
        }
      }
      moved.push([path, target]);
    }
    this.refresh();
    if (moved.length === 0) return;
    if (copy) toasts.ok(f.copiedItems(moved.length));
    else toasts.ok(f.movedItems(moved.length), '', { label: f.undo, run: () => void this.run(f.notUndone, async () => { for (const [from, there] of moved) await this.api.rename(there, from); }) });
  }

  async #one(path: string, target: string, copy: boolean, replace: boolean) {
    if (!copy) return this.api.rename(path, target, replace);
    // What is replaced by a copy goes to the trash first.
    if (replace) await this.jobs.finish(await this.api.remove([target], false));
    const job = await this.jobs.finish(await this.api.copy(path, target));
    if (job.state === 'cancelled') throw new ApiError('cancelled', f.cancelled);
  }

  #ask(name: string, more: boolean): Promise<{ answer: Answer | null; always: boolean }> {
    return new Promise((resolve) => {
      this.question = {
        name,
        more,
        answer: (answer, always) => {
          this.question = null;
          resolve({ answer, always });
        }
      };
    });
  }

  async download(paths: string[], format?: 'zip' | 'tar.zst' | 'tar.gz') {
    try {
      const { url, name } = await this.api.ticket(paths, format);
      const link = document.createElement('a');
      link.href = url;
      link.download = name;
      link.click();
    } catch (thrown) {
      toasts.failed(f.notDownloaded, thrown);
    }
  }
}
