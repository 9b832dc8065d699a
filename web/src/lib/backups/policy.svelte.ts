import { backups } from '../api/backupCalls';
import { asError, type ApiError } from '../errors';
import type { BackupPolicy } from '../types';

/** The backup policy of one server. */
export class Policy {
  now = $state.raw<BackupPolicy | null>(null);
  error = $state.raw<ApiError | null>(null);

  constructor(private readonly server: string) {}

  load = async () => {
    try {
      this.now = await backups.policy(this.server);
      this.error = null;
    } catch (error) {
      if (!this.now) this.error = asError(error);
    }
  };
}
