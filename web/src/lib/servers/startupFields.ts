/** How a server starts as fields of a form, each variable one of its own, and back. */
import { changed, type Values } from '../edits/rebase';
import type { ServerPatch } from '../types';

const VARIABLE = 'environment.';

export const variableKey = (name: string): string => `${VARIABLE}${name}`;

export function startupFields(startup: string, environment: (readonly [string, string])[]): Values {
  return { startup, ...Object.fromEntries(environment.map(([name, value]) => [variableKey(name), value])) };
}

/** The variables among the fields. */
export function environmentOf(values: Values): [string, string][] {
  return Object.entries(values)
    .filter(([key]) => key.startsWith(VARIABLE))
    .map(([key, value]) => [key.slice(VARIABLE.length), String(value)]);
}

/**
 * The call that makes these changes. Whoever sees the whole environment (`whole`, as the panel has it) sends all of it, since
 * a variable goes by being left out; the others send what they changed, and the rest stays.
 */
export function startupPatch(own: Values, whole: Record<string, string> | null): ServerPatch {
  const patch: ServerPatch = 'startup' in own ? { startup: String(own.startup ?? '') } : {};
  const variables = Object.fromEntries(Object.entries(own).filter(([key]) => key.startsWith(VARIABLE)));
  if (Object.keys(variables).length === 0) return patch;
  const before = whole ? startupFields('', Object.entries(whole)) : {};
  return { ...patch, environment: Object.fromEntries(environmentOf(changed(before, variables))) };
}
