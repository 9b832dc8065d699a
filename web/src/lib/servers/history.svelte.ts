/** The last ten minutes of CPU of each running server, for the small lines on the cards. */
import * as api from '../api';
import type { Server } from '../types';
import { mergePoints, type Point } from './points';

/** Those who want a line within this time ask together. */
const TOGETHER = 30;

class CpuHistory {
  #points = new Map<string, Point[]>();
  #asked = new Set<string>();
  #loaded = $state(0);
  #waiting = false;

  /** The points so far; reading them makes the caller run again when the older ones have come. */
  of(server: Server): Point[] {
    void this.#loaded;
    if (server.status !== 'running') {
      this.#points.delete(server.id);
      this.#asked.delete(server.id);
      return [];
    }
    if (server.stats) {
      const time = Date.parse(server.stats.timestamp);
      const known = this.#points.get(server.id) ?? [];
      if (known.at(-1)?.time !== time) this.#points.set(server.id, mergePoints(known, [{ time, cpu: server.stats.cpu }]));
    }
    return this.#points.get(server.id) ?? [];
  }

  /** All that are asked for at about the same time are one call. */
  load(id: string) {
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    if (this.#waiting) return;
    this.#waiting = true;
    setTimeout(() => void this.#ask(), TOGETHER);
  }

  async #ask() {
    this.#waiting = false;
    try {
      for (const { id, from, seconds, cpu } of await api.servers.trends()) {
        if (!this.#asked.has(id)) continue;
        const older = seconds.map((second, at) => ({ time: from + second * 1000, cpu: cpu[at] ?? 0 }));
        this.#points.set(id, mergePoints(older, this.#points.get(id) ?? []));
      }
      this.#loaded += 1;
    } catch {
      // The lines grow from now on instead.
    }
  }
}

export const cpuHistory = new CpuHistory();
