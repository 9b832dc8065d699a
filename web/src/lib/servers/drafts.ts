/** Form values and what the API wants of them: pure, so that the rules can be tested. */
import { number } from '../format';
import type { Limits, Port, Variable } from '../types';
import { t } from '../i18n/i18n.svelte';

export const MIB = 1024 * 1024;
export const GIB = 1024 * MIB;
export const LEAST_MEMORY = 16 * MIB;

/** Megabytes as typed; null when it is not a number. Empty means none. */
export function fromMegabytes(text: string | number | null | undefined): number | null {
  if (text === null || text === undefined || text === '') return 0;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? Math.round(value * MIB) : null;
}

export const toMegabytes = (bytes: number) => (bytes > 0 ? String(Math.round((bytes / MIB) * 100) / 100) : '');

export function limitProblems(limits: Limits): Record<string, string> {
  const problems: Record<string, string> = {};
  const whole = (value: number) => Number.isInteger(value);
  if (!whole(limits.memory) || (limits.memory !== 0 && limits.memory < LEAST_MEMORY)) problems['limits.memory'] = t.settings.rules.memory;
  if (!whole(limits.swap) || limits.swap < -1) problems['limits.swap'] = t.settings.rules.swap;
  if (!whole(limits.disk) || limits.disk < 0) problems['limits.disk'] = t.settings.rules.disk;
  if (!whole(limits.io) || limits.io < 10 || limits.io > 1000) problems['limits.io'] = t.settings.rules.io;
  if (!whole(limits.cpu) || limits.cpu < 0) problems['limits.cpu'] = t.settings.rules.cpu;
  if (!whole(limits.processes) || limits.processes < 16 || limits.processes > 16_384) problems['limits.processes'] = t.settings.rules.processes;
  return problems;
}

/** The first thing wrong with a list of ports; by index, as the API names fields. */
export function portProblems(ports: Port[]): Record<string, string> {
  const problems: Record<string, string> = {};
  const seen = new Set<string>();
  const fits = (port: number) => Number.isInteger(port) && port >= 1 && port <= 65535;
  ports.forEach((port, at) => {
    if (!fits(port.external)) problems[`ports.${at}.external`] = t.ports.range;
    if (!fits(port.internal)) problems[`ports.${at}.internal`] = t.ports.range;
    const key = `${port.external}/${port.protocol}`;
    if (seen.has(key)) problems[`ports.${at}.external`] = t.ports.twice(port.external, port.protocol.toUpperCase());
    seen.add(key);
  });
  return problems;
}

/** `fields` of an answer may name list entries as `ports[0].external` or `ports.0.external`. */
export const fieldKey = (key: string) => key.replace(/\[(\d+)\]/g, '.$1');

export function fieldError(fields: Record<string, string>, key: string): string | null {
  for (const [name, message] of Object.entries(fields)) {
    if (fieldKey(name) === key) return message;
  }
  return null;
}

export const validKey = (key: string) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(key);

export interface Bounds {
  min?: number;
  max?: number;
}

export type VariableKind = { kind: 'text'; max?: number } | ({ kind: 'number'; whole: boolean } & Bounds) | { kind: 'switch' } | { kind: 'choice'; choices: string[] };

/** What a variable's rules (`required|integer|in:a,b`) ask of its input. */
export function variableKind(variable: Variable): VariableKind {
  const rules = variable.rules.split('|').map((rule) => rule.trim());
  const choices = rules.find((rule) => rule.startsWith('in:'));
  if (choices && /^in:(0,1|1,0|true,false|false,true)$/.test(choices)) return { kind: 'switch' };
  if (choices) return { kind: 'choice', choices: choices.slice(3).split(',').map((choice) => choice.trim()) };
  if (rules.includes('boolean')) return { kind: 'switch' };
  const whole = rules.some((rule) => rule === 'integer' || rule === 'int');
  if (whole || rules.includes('numeric')) return { kind: 'number', whole, ...bounds(rules, whole) };
  const max = rules.find((rule) => /^max:\d+$/.test(rule));
  return max ? { kind: 'text', max: Number(max.slice(4)) } : { kind: 'text' };
}

/** The least and the most that rules allow of a number. More than 1 is at least 2, where it is whole. */
function bounds(rules: readonly string[], whole: boolean): Bounds {
  const found: Bounds = {};
  const next = whole ? 1 : 0;
  for (const rule of rules) {
    const match = /^(min|max|between|gte?|lte?):\s*(-?\d+(?:\.\d+)?)(?:\s*,\s*(-?\d+(?:\.\d+)?))?$/.exec(rule);
    if (!match) continue;
    const [, name, first] = match;
    const value = Number(first);
    if (name === 'between') Object.assign(found, { min: value, max: Number(match[3] ?? first) });
    else if (name === 'min' || name === 'gte') found.min = value;
    else if (name === 'gt') found.min = value + next;
    else if (name === 'max' || name === 'lte') found.max = value;
    else found.max = value - next;
  }
  return found;
}

/** What a number has to be, as a sentence; empty where anything will do. */
export function boundsText({ min, max }: Bounds): string {
  if (min !== undefined && max !== undefined) return t.fields.between(number(min, 3), number(max, 3));
  if (min !== undefined) return t.fields.atLeast(number(min, 3));
  return max === undefined ? '' : t.fields.atMost(number(max, 3));
}

/** What is wrong with a number that was typed. Whether it may be empty is the panel's to say. */
export function numberProblem(kind: VariableKind, value: string): string | null {
  const text = value.trim();
  if (kind.kind !== 'number' || text === '') return null;
  if (kind.whole && !/^[+-]?\d+$/.test(text)) return t.fields.wholeNumber;
  const typed = Number(text);
  if (!Number.isFinite(typed)) return t.fields.number;
  return typed < (kind.min ?? -Infinity) || typed > (kind.max ?? Infinity) ? boundsText(kind) : null;
}

/** On and off in the words that the default uses. */
export function switchWords(variable: Variable): { on: string; off: string } {
  return /^(true|false)$/i.test(variable.default_value) ? { on: 'true', off: 'false' } : { on: '1', off: '0' };
}
