/** Which nodes a new server may go to, and what speaks for or against each. */
import { bytes } from '../format';
import { unpromised } from '../nodes/labels';
import { whyNot } from '../templates/compatibility';
import type { Node, Template } from '../types';
import { t } from '../i18n/i18n.svelte';

/** The API's word for "where there is room". */
export const AUTO = 'auto';

export interface NodeChoice {
  id: string;
  name: string;
  /** Said behind its name. */
  note: string;
  /** Why it can't be chosen; null where it can. */
  reason: string | null;
}

export function nodeChoices(list: readonly Node[], template: Template | null): NodeChoice[] {
  return list.map((node) => {
    const other = template && template.runs[node.id] === false ? (whyNot(template, node.id, node.system?.arch) ?? t.create.otherCpu) : null;
    const reason = node.draining ? t.move.why.draining : other;
    const free = unpromised(node);
    return { id: node.id, name: node.name, reason, note: reason ?? (!node.online ? t.move.why.offline : free === null ? '' : t.create.unreserved(bytes(free))) };
  });
}

/** What is chosen at first: the only machine that there is, else where there is room. */
export const firstChoice = (list: readonly Node[], wanted: string | null): string =>
  wanted !== null && list.some((node) => node.id === wanted) ? wanted : list.length > 1 ? AUTO : 'local';
