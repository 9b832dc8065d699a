import { shared } from '../api/friendCalls';
import { asError, type ApiError } from '../errors';
import type { SharedServer } from '../types';
import { whileSeen } from '../ui/whileSeen';

/** How often the state is asked for while somebody looks. */
const EVERY = 10_000;

/** The server of a public link, asked for again as long as the page is seen. */
export class SharedLink {
  server = $state.raw<SharedServer | null>(null);
  error = $state.raw<ApiError | null>(null);

  constructor(readonly token: string) {}

  start() {
    return whileSeen(EVERY, () => {
      if (this.error?.code !== 'not_found') void this.load();
    });
  }

  load = async () => {
    try {
      this.server = await shared.get(this.token);
      this.error = null;
    } catch (error) {
      this.error = asError(error);
      // What was revoked is not shown any more.
      if (this.error.code === 'not_found') this.server = null;
    }
  };
}
