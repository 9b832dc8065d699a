import { backups } from '../api/backupCalls';
import { asError, type ApiError } from '../errors';
import { live } from '../live/live.svelte';
import type { Backup } from '../types';

/** The backups of one server, newest first. */
export class Backups {
  list = $state.raw<Backup[] | null>(null);
  error = $state.raw<ApiError | null>(null);
  /** Something is under way: nothing else may begin. */
  busy = $derived((this.list ?? []).some(isBusy));

  constructor(private readonly server: string) {}

  start() {
    void this.load();
    return live.subscribe(`backups:${this.server}`, ({ data }) => {
      if (data) this.#set(data as Backup[]);
    });
  }

  load = async () => {
    try {
      this.#set(await backups.list(this.server));
    } catch (error) {
      if (!this.list) this.error = asError(error);
    }
  };

  #set(list: Backup[]) {
    this.list = list;
    this.error = null;
  }
}

/** Whether something of it is under way. */
export const isBusy = (backup: Backup) => backup.status === 'creating' || backup.status === 'proceeding' || backup.status === 'restoring' || backup.status === 'deleting';
