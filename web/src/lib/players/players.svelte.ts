import { players } from '../api/playerCalls';
import { asError, type ApiError } from '../errors';
import type { Players } from '../types';
import { whileSeen } from '../ui/whileSeen';

/** How often the game is asked while somebody looks. */
const EVERY = 10_000;

/** Who plays on one server, asked again as long as the page is seen. */
export class PlayerList {
  now = $state.raw<Players | null>(null);
  error = $state.raw<ApiError | null>(null);

  constructor(private readonly server: string) {}

  start() {
    return whileSeen(EVERY, this.load);
  }

  load = async () => {
    try {
      this.now = await players.list(this.server);
      this.error = null;
    } catch (error) {
      this.error = asError(error);
    }
  };
}
