/** One word for the whole installation: green only when nothing is known to be wrong. */
import { awaited } from '../nodes/awaited';
import type { Node } from '../types';
import { t } from '../i18n/i18n.svelte';

export interface Wellbeing {
  tone: 'ok' | 'warn' | 'bad' | 'off';
  text: string;
  /** Where one sees more. */
  path: string;
}

export function wellbeing(state: { connected: boolean; nodes: readonly Node[]; findings: number }): Wellbeing {
  if (!state.connected) return { tone: 'off', text: t.nav.disconnected, path: '/nodes' };
  const away = state.nodes.filter((node) => !node.online && !awaited(node));
  if (away.length > 0) return { tone: 'bad', text: t.nav.nodesOffline(away.length), path: '/nodes' };
  const troubled = state.nodes.some((node) => (node.problems?.length ?? 0) > 0 || (node.differences?.length ?? 0) > 0 || node.engine?.available === false);
  if (troubled) return { tone: 'warn', text: t.nav.attention, path: '/nodes' };
  if (state.findings > 0) return { tone: 'warn', text: t.nav.findings(state.findings), path: '/settings' };
  return { tone: 'ok', text: t.nav.allWell, path: '/nodes' };
}
