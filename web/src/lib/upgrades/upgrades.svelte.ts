import * as api from '../api';
import { asError, type ApiError } from '../errors';
import { live } from '../live/live.svelte';
import type { NodeUpgrade, Upgrade } from '../types';
import { toasts } from '../ui/toasts.svelte';
import { notice } from './labels';
import { t } from '../i18n/i18n.svelte';

/** Survives the page's own reload, and nothing else. */
const KEY = 'upgraded-from';

function kept(change?: string | null): string | null {
  try {
    if (change === null) sessionStorage.removeItem(KEY);
    else if (change !== undefined) sessionStorage.setItem(KEY, change);
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Newer versions of the panel, and of the agents of other machines. For administrators. */
class Upgrades {
  view = $state.raw<Upgrade | null>(null);
  error = $state.raw<ApiError | null>(null);
  /** The version for which the panel is away at the moment. */
  away = $state<string | null>(null);
  notice = $derived(notice(this.view));

  start() {
    return live.subscribe('upgrade', ({ data }) => {
      if (data) this.put(data as Upgrade);
    });
  }

  async load() {
    try {
      this.put(await api.upgrade.get());
    } catch (error) {
      if (!this.view) this.error = asError(error);
    }
  }

  node(id: string): NodeUpgrade | undefined {
    return this.view?.nodes.find((node) => node.id === id);
  }

  put(now: Upgrade) {
    const before = this.view;
    this.view = now;
    this.error = null;
    if (now.running) {
      if (now.running.step === 'restarting') {
        this.away = now.running.version;
        kept(now.current);
      }
      return;
    }
    const back = this.away !== null;
    this.away = null;
    // The page came with the panel: another panel has another page.
    if (before && before.current !== now.current) {
      location.reload();
      return;
    }
    const from = kept();
    if (from === null) return;
    kept(null);
    if (now.current !== from) toasts.ok(t.upgrades.upgradedTo(now.current), t.upgrades.keptRunning);
    else if (back && now.last?.reverted) toasts.error(t.upgrades.wentBack(now.current), now.last.reason ?? '');
  }

  clear() {
    this.view = null;
    this.error = null;
    this.away = null;
  }
}

export const upgrades = new Upgrades();
