import * as api from '../api';
import { asError, type ApiError } from '../errors';
import { live } from '../live/live.svelte';
import type { Node } from '../types';

type Change = { all?: Node[]; changed?: Node; removed?: string };

/** The machines that servers live on. */
class Nodes {
  list = $state.raw<Node[]>([]);
  loaded = $state(false);
  error = $state.raw<ApiError | null>(null);
  local = $derived(this.list.find((node) => node.local) ?? null);
  problems = $derived(this.list.reduce((sum, node) => sum + (node.problems?.length ?? 0) + (node.differences?.length ?? 0), 0));

  start() {
    void this.load();
    return live.subscribe('nodes', ({ data }) => {
      if (data) this.#apply(data as Change);
    });
  }

  get(id: string): Node | undefined {
    return this.list.find((node) => node.id === id);
  }

  async load() {
    try {
      this.#apply({ all: await api.nodes.list() });
    } catch (error) {
      if (!this.loaded) this.error = asError(error);
    }
  }

  put(node: Node) {
    this.#apply({ changed: node });
  }

  drop(id: string) {
    this.#apply({ removed: id });
  }

  clear() {
    this.list = [];
    this.loaded = false;
    this.error = null;
  }

  #apply({ all, changed, removed }: Change) {
    if (all) {
      this.list = [...all].sort(order);
      this.loaded = true;
      this.error = null;
    }
    if (changed) this.list = [...this.list.filter((node) => node.id !== changed.id), changed].sort(order);
    if (removed !== undefined) this.list = this.list.filter((node) => node.id !== removed);
  }
}

const order = (a: Node, b: Node) => Number(b.local) - Number(a.local) || a.name.localeCompare(b.name);

export const nodes = new Nodes();
