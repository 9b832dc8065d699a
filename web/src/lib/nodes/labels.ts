/** What a node's state is called and how it looks, and what its figures are in words. */
import { ago, bytes, duration } from '../format';
import { cpuName } from '../templates/compatibility';
import { lanAddress } from '../servers/address';
import type { Difference, Mend, Node } from '../types';

export interface Badge {
  tone: 'ok' | 'warn' | 'bad' | 'info' | 'off';
  label: string;
  /** What it means. */
  title?: string;
}

/** A clock that is off by less is nobody's concern. */
const CLOCK_OFF = 2000;

export const awaited = (node: Node) => !node.online && !node.lastSeen;

export function health(node: Node): Badge {
  if (awaited(node)) return { tone: 'info', label: 'Waiting for its agent' };
  if (!node.online) return { tone: 'bad', label: 'Offline' };
  const wrong = (node.problems?.length ?? 0) + (node.differences?.length ?? 0);
  if (wrong > 0 || (node.engine && !node.engine.available)) return { tone: 'warn', label: 'Needs a look' };
  return { tone: 'ok', label: 'Online' };
}

/** What is special about it, beside its health. */
export function marks(node: Node): Badge[] {
  const found: Badge[] = [];
  if (node.draining) found.push({ tone: 'info', label: 'Draining', title: 'No new servers are placed here' });
  if (node.limited) found.push({ tone: 'warn', label: 'Limited', title: 'Its agent is of another make and knows the basic messages only' });
  if (node.secret?.kind === 'revoked') found.push({ tone: 'bad', label: 'Secret revoked' });
  return found;
}

export const clockOff = (node: Node): boolean => node.online && Math.abs(node.clockSkewMs ?? 0) > CLOCK_OFF;

/** "45 s ahead", "2 h behind". */
export function skew(milliseconds: number): string {
  return `${duration(Math.abs(milliseconds))} ${milliseconds > 0 ? 'ahead' : 'behind'}`;
}

export function seen(node: Node, now: number): string {
  return node.online ? 'now' : ago(node.lastSeen, now);
}

/** Everything that is known of the machine, as name and value; what is not known is left out. */
export function facts(node: Node, now: number): [string, string][] {
  const { system, engine } = node;
  const link = node.local
    ? 'in this process'
    : node.secure == null
      ? null
      : `${node.secure ? 'encrypted (TLS)' : 'not encrypted'}${node.encoding ? `, ${node.encoding}` : ''}`;
  const all: [string, string | null | undefined][] = [
    ['Docker', engine ? (engine.available ? (engine.version ?? system?.dockerVersion ?? 'answers') : 'does not answer') : system?.dockerVersion],
    ['Docker API', engine?.apiVersion],
    ['Processor', [system?.cpu, system?.arch ? cpuName(system.arch) : null].filter(Boolean).join(', ')],
    ['Memory', system?.memory ? bytes(system.memory) : null],
    ['System', [system?.os, system?.kernel].filter(Boolean).join(' ')],
    ['Control groups', system?.cgroup],
    ['Host name', system?.hostname],
    ['Address at home', lanAddress(system?.networks)],
    ['Data folder', system?.dataDir],
    ['Agent', system?.agentVersion],
    ['Link', node.online ? link : null],
    ['Latency', node.online && node.latencyMs != null && !node.local ? `${node.latencyMs < 10 ? Math.round(node.latencyMs * 10) / 10 : Math.round(node.latencyMs)} ms` : null],
    ['Clock', node.online && node.clockSkewMs != null && !node.local ? (clockOff(node) ? skew(node.clockSkewMs) : 'right') : null],
    ['Last seen', node.online ? null : ago(node.lastSeen, now)]
  ];
  return all.filter((fact): fact is [string, string] => Boolean(fact[1]));
}

export const DIFFERENCE: Record<Difference['kind'], Badge> = {
  missing: { tone: 'bad', label: 'Missing' },
  unknown: { tone: 'warn', label: 'Unknown' },
  changed: { tone: 'info', label: 'Changed' }
};

export const MEND: Record<Mend, { label: string; done: string; hint: string }> = {
  recreate: { label: 'Make again', done: 'was made again', hint: 'With the same settings and an empty folder.' },
  adopt: { label: 'Adopt', done: 'belongs to this panel now', hint: 'It becomes a server of this panel, as it is.' },
  remove: { label: 'Remove …', done: 'was removed', hint: 'Its container and all its files on that machine.' },
  apply: { label: 'Apply again', done: 'has the settings now', hint: 'Sends the settings once more.' }
};

/** A node's id out of a name: what may stand in it, and nothing else. */
export function idFrom(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|-+$/g, '')
    .slice(0, 64);
}

export function idProblem(id: string, taken: readonly string[]): string | null {
  if (id === '') return 'Give it an id.';
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id)) return 'Up to 64 letters, digits, dots, - or _, beginning with a letter or digit.';
  if (id === 'auto' || id === 'local') return 'This word has a meaning of its own.';
  if (taken.includes(id)) return 'Another node has this id.';
  return null;
}

/** Memory that is promised to nobody; null where the machine has not told. */
export function unpromised(node: Node): number | null {
  const total = node.system?.memory;
  return total ? Math.max(0, total - node.promisedMemory) : null;
}
