/** Upgrades in words. */
import type { NodeUpgrade, Upgrade } from '../types';
import { t } from '../i18n/i18n.svelte';

/** What goes on, for the progress bar. */
export function progress(running: NonNullable<Upgrade['running']>): { text: string; percent?: number } {
  const text = t.upgrades.progress(running.version, t.upgrades.running[running.step]);
  return running.step === 'downloading' && running.total > 0 ? { text, percent: (running.done * 100) / running.total } : { text };
}

/** What goes on with a node, or how it stands. */
export function standing(node: NodeUpgrade): { tone: 'ok' | 'warn' | 'bad' | 'info' | 'off'; label: string; busy: boolean } {
  if (node.step && (node.step !== 'done' || !node.older)) {
    const tone = node.step === 'done' ? 'ok' : node.step === 'failed' ? 'bad' : 'info';
    return { tone, label: t.upgrades.node[node.step], busy: tone === 'info' && node.step !== 'waiting' };
  }
  if (node.older) return { tone: 'warn', label: t.upgrades.older, busy: false };
  return node.version ? { tone: 'ok', label: t.upgrades.current, busy: false } : { tone: 'off', label: t.upgrades.unknown, busy: false };
}

/** Whether there is something for an administrator to look at. */
export function notice(view: Upgrade | null): string {
  if (!view) return '';
  if (view.available) return t.upgrades.available(view.available.version);
  if (view.failure) return t.upgrades.failed;
  if (view.nodesFailure) return t.upgrades.machineFailed;
  return '';
}

/** Those that can be upgraded from here. */
export const ready = (view: Upgrade | null): NodeUpgrade[] => view?.nodes.filter((node) => node.can) ?? [];
