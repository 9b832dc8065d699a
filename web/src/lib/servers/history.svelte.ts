/** The last ten minutes of CPU of each running server, for the small lines on the cards. */
import * as api from '../api';
import type { Server, Stats } from '../types';
import { merge } from '../charts/samples';

class CpuHistory {
  #samples = new Map<string, Stats[]>();
  #asked = new Set<string>();
  #loaded = $state(0);

  /** The samples so far; reading them makes the caller run again when the older ones have come. */
  of(server: Server): Stats[] {
    void this.#loaded;
    if (server.status !== 'running') {
      this.#samples.delete(server.id);
      this.#asked.delete(server.id);
      return [];
    }
    if (server.stats) {
      const known = this.#samples.get(server.id) ?? [];
      if (known.at(-1)?.timestamp !== server.stats.timestamp) this.#samples.set(server.id, merge(known, [server.stats]));
    }
    return this.#samples.get(server.id) ?? [];
  }

  async load(id: string) {
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    try {
      const { samples } = await api.servers.stats(id);
      this.#samples.set(id, merge(samples, this.#samples.get(id) ?? []));
      this.#loaded += 1;
    } catch {
      // The line grows from now on instead.
    }
  }
}

export const cpuHistory = new CpuHistory();
