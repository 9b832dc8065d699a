import { files } from '../api/files';
import { ApiError } from '../errors';
import { live } from '../live/live.svelte';
import type { Job } from './types';

/** What the panel does with a server's files at the moment, and did last. */
export class Jobs {
  list = $state.raw<Job[]>([]);
  /** Those that somebody has put away. */
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  hidden = $state.raw<ReadonlySet<string>>(new Set());
  shown = $derived(this.list.filter((job) => !this.hidden.has(job.id) && (job.state === 'running' || this.#ours.has(job.id))));
  running = $derived(this.list.filter((job) => job.state === 'running').length);
  #api;
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  #waiting = new Map<string, (job: Job) => void>();
  /** Those that took long enough to be shown after their end. */
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  #ours = new Set<string>();

  constructor(private readonly server: string) {
    this.#api = files(server);
  }

  start(): () => void {
    return live.subscribe(`files:${this.server}`, ({ data }) => {
      const jobs = (data as { jobs?: Job[] } | undefined)?.jobs;
      if (!Array.isArray(jobs)) return;
      for (const job of jobs) {
        if (job.state === 'running') this.#ours.add(job.id);
        else this.#ended(job);
      }
      this.list = jobs;
    });
  }

  cancel = (job: Job) => this.#api.cancel(job.id);

  hide(job: Job) {
    // eslint-disable-next-line svelte/prefer-svelte-reactivity
    this.hidden = new Set([...this.hidden, job.id]);
  }

  /** Until the job has ended; throws what it failed of. */
  async finish(job: Job): Promise<Job> {
    let ended = job;
    if (job.state === 'running') {
      this.#ours.add(job.id);
      const known = this.list.find((one) => one.id === job.id && one.state !== 'running');
      ended = known ?? (await new Promise<Job>((resolve) => this.#waiting.set(job.id, resolve)));
    }
    if (ended.state === 'failed') throw new ApiError(ended.error?.code ?? 'unexpected', ended.error?.message ?? '');
    return ended;
  }

  #ended(job: Job) {
    this.#waiting.get(job.id)?.(job);
    this.#waiting.delete(job.id);
  }
}
