/** What a node's state is called and how it looks, and what its figures are in words. */
import { ago, bytes, duration, number } from '../format';
import { cpuName } from '../templates/compatibility';
import { lanAddress } from '../servers/address';
import type { Difference, Node } from '../types';
import { awaited } from './awaited';
import { t } from '../i18n/i18n.svelte';

export interface Badge {
  tone: 'ok' | 'warn' | 'bad' | 'info' | 'off';
  label: string;
  /** What it means. */
  title?: string;
}

/** A clock that is off by less is nobody's concern. */
const CLOCK_OFF = 2000;

export function health(node: Node): Badge {
  if (awaited(node)) return { tone: 'info', label: t.nodes.health.awaited };
  if (!node.online) return { tone: 'bad', label: t.nodes.health.offline };
  const wrong = (node.problems?.length ?? 0) + (node.differences?.length ?? 0);
  if (wrong > 0 || (node.engine && !node.engine.available)) return { tone: 'warn', label: t.nodes.health.attention };
  return { tone: 'ok', label: t.nodes.health.online };
}

/** What is special about it, beside its health. */
export function marks(node: Node): Badge[] {
  const found: Badge[] = [];
  if (node.draining) found.push({ tone: 'info', label: t.nodes.draining, title: t.nodes.drainingTitle });
  if (node.limited) found.push({ tone: 'warn', label: t.nodes.limited, title: t.nodes.limitedTitle });
  if (node.secret?.kind === 'revoked') found.push({ tone: 'bad', label: t.nodes.revoked });
  return found;
}

export const clockOff = (node: Node): boolean => node.online && Math.abs(node.clockSkewMs ?? 0) > CLOCK_OFF;

/** "45 s ahead", "2 h behind". */
export function skew(milliseconds: number): string {
  const time = duration(Math.abs(milliseconds));
  return milliseconds > 0 ? t.nodes.ahead(time) : t.nodes.behind(time);
}

export function seen(node: Node, now: number): string {
  return node.online ? t.nodes.now : ago(node.lastSeen, now);
}

/** Everything that is known of the machine, as name and value; what is not known is left out. */
export function facts(node: Node, now: number): [string, string][] {
  const { system, engine } = node;
  const link = node.local
    ? t.nodes.linkLocal
    : node.secure == null
      ? null
      : `${node.secure ? t.nodes.linkSecure : t.nodes.linkPlain}${node.encoding ? `, ${node.encoding}` : ''}`;
  const all: [string, string | null | undefined][] = [
    ['Docker', engine ? (engine.available ? (engine.version ?? system?.dockerVersion ?? t.nodes.running) : t.nodes.notResponding) : system?.dockerVersion],
    ['Docker API', engine?.apiVersion],
    [t.nodes.facts.cpu, [system?.cpu, system?.arch ? cpuName(system.arch) : null].filter(Boolean).join(', ')],
    [t.nodes.facts.memory, system?.memory ? bytes(system.memory) : null],
    [t.nodes.facts.system, [system?.os, system?.kernel].filter(Boolean).join(' ')],
    [t.nodes.facts.cgroup, system?.cgroup],
    [t.nodes.facts.host, system?.hostname],
    [t.nodes.facts.lan, lanAddress(system?.networks)],
    [t.nodes.facts.data, system?.dataDir],
    [t.nodes.facts.agent, system?.agentVersion],
    [t.nodes.facts.link, node.online ? link : null],
    [t.nodes.facts.latency, node.online && node.latencyMs != null && !node.local ? t.nodes.milliseconds(number(node.latencyMs, node.latencyMs < 10 ? 1 : 0)) : null],
    [t.nodes.facts.clock, node.online && node.clockSkewMs != null && !node.local ? (clockOff(node) ? skew(node.clockSkewMs) : t.nodes.clockRight) : null],
    [t.nodes.facts.seen, node.online ? null : ago(node.lastSeen, now)]
  ];
  return all.filter((fact): fact is [string, string] => Boolean(fact[1]));
}

const KIND_TONES: Record<Difference['kind'], Badge['tone']> = { missing: 'bad', unknown: 'warn', changed: 'info' };

export const difference = (kind: Difference['kind']): Badge => ({ tone: KIND_TONES[kind], label: t.nodes.kinds[kind] });

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
  if (id === '') return t.nodes.idRequired;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id)) return t.nodes.idRule;
  if (id === 'auto' || id === 'local') return t.nodes.idReserved;
  if (taken.includes(id)) return t.nodes.idTaken;
  return null;
}

/** Memory that is promised to nobody; null where the machine has not told. */
export function unpromised(node: Node): number | null {
  const total = node.system?.memory;
  return total ? Math.max(0, total - node.promisedMemory) : null;
}
