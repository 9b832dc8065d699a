import * as api from '../api';
import { asError, type ApiError } from '../errors';
import { live } from '../live/live.svelte';
import type { PowerAction, Server } from '../types';
import { natural } from './filter';

type Change = { all?: Server[]; changed?: Server; removed?: string };

/** Applies a live message to the known servers; pure, so that it can be tested. */
export function applyChange(known: Record<string, Server>, change: Change): Record<string, Server> {
  if (change.all) return Object.fromEntries(change.all.map((server) => [server.id, server]));
  if (change.changed) return { ...known, [change.changed.id]: change.changed };
  if (change.removed !== undefined) {
    const rest = { ...known };
    delete rest[change.removed];
    return rest;
  }
  return known;
}

/** All servers that the caller may see, kept current by the live topic. */
class Servers {
  byId = $state.raw<Record<string, Server>>({});
  loaded = $state(false);
  error = $state.raw<ApiError | null>(null);
  list = $derived(Object.values(this.byId).sort((a, b) => natural.compare(a.name, b.name) || a.id.localeCompare(b.id)));
  running = $derived(this.list.filter((server) => server.status === 'running').length);

  #loading: Promise<void> | null = null;

  start() {
    if (!this.loaded) void this.load();
    return live.subscribe('servers', ({ data, error }) => {
      if (error || !data) return;
      this.byId = applyChange(this.byId, data as Change);
      if ((data as Change).all) this.#done();
    });
  }

  /** Also asked once by HTTP, so that the page stands where WebSockets do not get through. */
  load(): Promise<void> {
    this.#loading ??= this.#load().finally(() => (this.#loading = null));
    return this.#loading;
  }

  async #load() {
    try {
      const all = await api.servers.list();
      this.byId = applyChange(this.byId, { all });
      this.#done();
    } catch (error) {
      if (!this.loaded) this.error = asError(error);
    }
  }

  /** What a call answered, unless the live topic was quicker: a new server may be installed by the time of the answer. */
  add(server: Server) {
    if (!this.byId[server.id]) this.put(server);
  }

  put(server: Server) {
    this.byId = applyChange(this.byId, { changed: server });
  }

  drop(id: string) {
    this.byId = applyChange(this.byId, { removed: id });
  }

  async power(id: string, action: PowerAction) {
    const before = this.byId[id];
    const { status } = await api.servers.power(id, action);
    const server = this.byId[id];
    // The live topic says the rest; this only makes the click felt at once. What came by it meanwhile is newer.
    if (server && server === before) this.put({ ...server, status, statusReason: null });
  }

  clear() {
    this.byId = {};
    this.loaded = false;
    this.error = null;
  }

  #done() {
    this.loaded = true;
    this.error = null;
  }
}

export const servers = new Servers();
