/** Upgrades in words. */
import type { NodeUpgrade, Upgrade } from '../types';

const STEPS = {
  checking: 'Looking at what is published',
  downloading: 'Fetching the program',
  trying: 'Trying it',
  copying: 'Copying the database aside',
  restarting: 'Starting anew'
} as const;

const NODE_STEPS = {
  waiting: 'Waits for its turn',
  sending: 'Sending the program',
  trying: 'Trying it there',
  returning: 'Starting anew',
  done: 'Upgraded',
  failed: 'Failed'
} as const;

/** What goes on, for the progress bar. */
export function progress(running: NonNullable<Upgrade['running']>): { text: string; percent?: number } {
  const text = `To ${running.version}: ${STEPS[running.step].toLowerCase()}`;
  return running.step === 'downloading' && running.total > 0 ? { text, percent: (running.done * 100) / running.total } : { text };
}

/** What goes on with a node, or how it stands. */
export function standing(node: NodeUpgrade): { tone: 'ok' | 'warn' | 'bad' | 'info' | 'off'; label: string; busy: boolean } {
  if (node.step && (node.step !== 'done' || !node.older)) {
    const tone = node.step === 'done' ? 'ok' : node.step === 'failed' ? 'bad' : 'info';
    return { tone, label: NODE_STEPS[node.step], busy: tone === 'info' && node.step !== 'waiting' };
  }
  if (node.older) return { tone: 'warn', label: 'Older than the panel', busy: false };
  return node.version ? { tone: 'ok', label: 'Up to date', busy: false } : { tone: 'off', label: 'Version unknown', busy: false };
}

/** Whether there is something for an administrator to look at. */
export function notice(view: Upgrade | null): string {
  if (!view) return '';
  if (view.available) return `Version ${view.available.version} is there`;
  if (view.failure) return 'The upgrade came to nothing';
  if (view.nodesFailure) return 'A machine was not upgraded';
  return '';
}

/** Those that can be upgraded from here. */
export const ready = (view: Upgrade | null): NodeUpgrade[] => view?.nodes.filter((node) => node.can) ?? [];
