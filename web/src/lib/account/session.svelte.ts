import { goto } from '$app/navigation';
import * as api from '../api';
import { forgetDrafts } from '../edits/place';
import { doctor } from '../doctor/doctor.svelte';
import { live } from '../live/live.svelte';
import { nodes } from '../nodes/nodes.svelte';
import { servers } from '../servers/servers.svelte';
import type { Me, Status } from '../types';
import { upgrades } from '../upgrades/upgrades.svelte';

/** Who is signed in, and what the panel says of itself. */
class Session {
  me = $state.raw<Me | null>(null);
  status = $state.raw<Status | null>(null);
  /** Why one has to sign in, where that is not plain: said on the sign-in page. */
  why = $state.raw('');
  admin = $derived(this.me?.role === 'admin');
  #unsubscribe: (() => void)[] = [];

  async load(): Promise<Me> {
    this.me ??= await api.me.get();
    return this.me;
  }

  /** Everything live starts with the first page for signed-in people. */
  start() {
    api.whenSignedOut(() => this.ended());
    live.onSessionEnded = () => this.ended();
    live.onRefused = () => api.session.status().then(() => true, () => false);
    this.#unsubscribe = [
      live.subscribe('status', ({ data }) => {
        if (data) this.status = data as Status;
      }),
      servers.start(),
      nodes.start()
    ];
    if (this.admin) this.#unsubscribe.push(upgrades.start());
    live.start();
    return () => this.#stop();
  }

  #stop() {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#unsubscribe = [];
    live.stop();
  }

  /** The session is over without our doing: sign in again and come back here. */
  ended() {
    if (!this.me) return;
    this.#forget();
    const here = location.pathname + location.search;
    void goto(`/sign-in?next=${encodeURIComponent(here)}&ended=1`);
  }

  async signOut() {
    await api.session.signOut().catch((error: unknown) => {
      // Nobody is signed in any more: that is what was asked for.
      if ((error as { code?: string }).code !== 'unauthenticated') throw error;
    });
    forgetDrafts();
    this.#forget();
    await goto('/sign-in');
  }

  #forget() {
    this.me = null;
    this.status = null;
    servers.clear();
    nodes.clear();
    upgrades.clear();
    doctor.clear();
  }
}

export const session = new Session();
