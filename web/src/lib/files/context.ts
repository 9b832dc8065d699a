import { getContext, setContext } from 'svelte';
import { session } from '../account/session.svelte';
import { Acts } from './acts.svelte';
import { Jobs } from './jobs.svelte';
import { Listing } from './listing.svelte';
import { Uploads } from './uploads.svelte';

/** What the pages of one server's files share. */
export class FilesContext {
  readonly listing;
  readonly jobs;
  readonly uploads;
  readonly acts;

  constructor(readonly server: string) {
    this.listing = new Listing(server);
    this.jobs = new Jobs(server);
    this.uploads = Uploads.of(server, session.me?.id ?? '');
    this.acts = new Acts(server, this.jobs, this.listing.refresh);
  }

  get base() {
    return `/servers/${this.server}/files`;
  }

  folder = (path: string): string => (path === '/' ? this.base : `${this.base}?path=${encodeURIComponent(path)}`);
  editor = (path: string, line?: number | null): string => `${this.base}/edit?path=${encodeURIComponent(path)}${line ? `&line=${line}` : ''}`;
}

const KEY = Symbol('files');
export const provideFiles = (server: string): FilesContext => setContext(KEY, new FilesContext(server));
export const useFiles = (): FilesContext => getContext(KEY);
