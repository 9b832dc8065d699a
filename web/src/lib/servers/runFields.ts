/** How a server is run, as fields of a form, and back. */
import type { Behaviour, BehaviourChange } from '../types';
import { changed, same, type Values } from '../edits/rebase';
import { t } from '../i18n/i18n.svelte';

const PREFIX = 'behaviour.';
/** Signals by which games are asked to stop, the usual ones first. */
export const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGKILL', 'SIGUSR1', 'SIGUSR2', 'SIGABRT', 'SIGWINCH', 'SIGPWR'] as const;

/** What a server without a template begins with, as the panel has it. */
export const usual = (): Behaviour => ({ stop: { signal: 'SIGTERM' }, stopTimeoutSecs: 30, ready: '', startupMode: 'shell', restartAfterCrash: true, stopAtDiskLimit: true });

export const runFields = (run: Behaviour): Values => Object.fromEntries(Object.entries(run).map(([key, value]) => [PREFIX + key, value]));

/** The part of a form's fields that says how the server is run; what is not there is as usual. */
export const runOf = (values: Values): Behaviour => changed(usual() as unknown as Values, onlyRun(values)) as unknown as Behaviour;

/** The call's `behaviour` for these changed fields; null where none of them is one. */
export function runPatch(own: Values): BehaviourChange | null {
  const change = onlyRun(own);
  return Object.keys(change).length > 0 ? (change as BehaviourChange) : null;
}

function onlyRun(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([key]) => key.startsWith(PREFIX)).map(([key, value]) => [key.slice(PREFIX.length), value]));
}

/** What differs from `before`. */
export const runChanges = (before: Behaviour, after: Behaviour): BehaviourChange | null =>
  runPatch(Object.fromEntries(Object.entries(runFields(after)).filter(([key, value]) => !same(value, runFields(before)[key]))));

export const stopText = (stop: Behaviour['stop']): string => ('command' in stop ? stop.command : stop.signal);

/** What is wrong with them, by the API's names. */
export function runProblems(run: Behaviour): Record<string, string> {
  const problems: Record<string, string> = {};
  if (stopText(run.stop).trim() === '') problems['behaviour.stop'] = t.run.stopRequired;
  if (!Number.isInteger(run.stopTimeoutSecs) || run.stopTimeoutSecs < 1 || run.stopTimeoutSecs > 3600) problems['behaviour.stopTimeoutSecs'] = t.fields.between('1', '3600');
  return problems;
}

export function runLabel(key: string): string | null {
  const labels: Record<string, string> = {
    'behaviour.stop': t.run.stop,
    'behaviour.stopTimeoutSecs': t.run.seconds,
    'behaviour.ready': t.run.ready,
    'behaviour.startupMode': t.run.mode,
    'behaviour.restartAfterCrash': t.run.restart,
    'behaviour.stopAtDiskLimit': t.run.diskLimit
  };
  return labels[key] ?? null;
}

export function runText(key: string, value: unknown): string {
  if (key === 'behaviour.stop') return stopText(value as Behaviour['stop']);
  if (key === 'behaviour.restartAfterCrash' || key === 'behaviour.stopAtDiskLimit') return value ? t.clash.on : t.clash.off;
  if (key === 'behaviour.startupMode') return (t.run.modes as Record<string, string>)[String(value)] ?? String(value);
  return String(value);
}
