/** A server's backup policy as fields of a form, and back. */
import type { Values } from '../edits/rebase';
import { t } from '../i18n/i18n.svelte';
import type { BackupPolicy, BackupPolicyChange } from '../types';

export const KEEP = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'withinDays'] as const;
export type KeepRule = (typeof KEEP)[number];

export interface PolicyDraft {
  target: string;
  enabled: boolean;
  time: string;
  timeZone: string;
  keep: Record<KeepRule, number>;
  ignore: string;
  limit: number;
  smallMemory: boolean;
  stopServer: boolean;
  testWeekly: boolean;
}

export const draftOf = (policy: BackupPolicy): PolicyDraft => ({
  target: policy.target,
  enabled: policy.enabled,
  time: policy.time,
  timeZone: policy.timeZone ?? '',
  keep: Object.fromEntries(KEEP.map((rule) => [rule, policy.keep[rule] ?? 0])) as Record<KeepRule, number>,
  ignore: policy.ignore.join('\n'),
  limit: policy.limitMibPerSec,
  smallMemory: policy.smallMemory,
  stopServer: policy.stopServer,
  testWeekly: policy.testWeekly
});

/** Each rule is a field of its own: two may change two of them. */
export function toFields({ keep, ...rest }: PolicyDraft): Values {
  return { ...rest, ...Object.fromEntries(KEEP.map((rule) => [`keep.${rule}`, keep[rule]])) };
}

export function fromFields(values: Values): PolicyDraft {
  const keep = Object.fromEntries(KEEP.map((rule) => [rule, Number(values[`keep.${rule}`] ?? 0)])) as Record<KeepRule, number>;
  const { target, enabled, time, timeZone, ignore, limit, smallMemory, stopServer, testWeekly } = values as unknown as PolicyDraft;
  return { target, enabled, time, timeZone, keep, ignore, limit, smallMemory, stopServer, testWeekly };
}

/** As it is sent. */
export function changeOf(draft: PolicyDraft): BackupPolicyChange {
  const lines = draft.ignore.split('\n').map((line) => line.trimEnd());
  while (lines.at(-1) === '') lines.pop();
  return {
    target: draft.target,
    enabled: draft.enabled,
    time: draft.time,
    timeZone: draft.timeZone || null,
    keep: draft.keep,
    ignore: lines,
    limitMibPerSec: draft.limit,
    smallMemory: draft.smallMemory,
    stopServer: draft.stopServer,
    testWeekly: draft.testWeekly
  };
}

export function policyLabel(key: string): string {
  const w = t.backupPolicy;
  const labels: Record<string, string> = {
    target: w.target, enabled: w.daily, time: w.time, timeZone: w.timeZone, ignore: w.ignore, limit: w.limit, smallMemory: w.smallMemory, stopServer: w.stopServer, testWeekly: w.testWeekly
  };
  return key.startsWith('keep.') ? w.rules[key.slice('keep.'.length) as KeepRule] : (labels[key] ?? key);
}

export function policyText(targets: BackupPolicy['targets']) {
  return (key: string, value: unknown): string => {
    if (typeof value === 'boolean') return value ? t.clash.on : t.clash.off;
    if (key === 'target') return value === 'node' ? t.backupPolicy.onNode : (targets.find((target) => target.id === value)?.name ?? String(value));
    return String(value);
  };
}
