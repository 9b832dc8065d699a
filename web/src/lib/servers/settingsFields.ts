/** A server's settings as fields of a form, and back. */
import { changed, type Values } from '../edits/rebase';
import { bytes } from '../format';
import { t } from '../i18n/i18n.svelte';
import type { Limits, Port, Server, ServerPatch } from '../types';

export interface Settings {
  name: string;
  image: string;
  limits: Limits;
  ports: Port[];
  blockLan: boolean;
}

const LIMITS = ['memory', 'swap', 'disk', 'io', 'cpu', 'processes'] as const;

/** Each limit is a field of its own: two may change two of them. */
export function toFields({ name, image, limits, ports, blockLan }: Settings): Values {
  return { name, image, ...Object.fromEntries(LIMITS.map((limit) => [`limits.${limit}`, limits[limit]])), ports, blockLan };
}

export function fromFields(values: Values): Settings {
  const { name, image, ports, blockLan } = values as unknown as Settings;
  const limits = Object.fromEntries(LIMITS.map((limit) => [limit, values[`limits.${limit}`]])) as unknown as Limits;
  return { name, image, limits, ports: ports.map((port) => ({ ...port })), blockLan };
}

export const settingsOf = (server: Server): Values => toFields(server);

/** The call that makes these changes. */
export function settingsPatch(own: Values): ServerPatch {
  const patch: ServerPatch = {};
  for (const [key, value] of Object.entries(changed({}, own))) {
    if (key.startsWith('limits.')) patch.limits = { ...patch.limits, [key.slice('limits.'.length)]: value };
    else Object.assign(patch, { [key]: value });
  }
  return patch;
}

export function settingsLabel(key: string): string {
  const labels: Record<string, string> = {
    name: t.common.name,
    image: t.create.image,
    'limits.memory': t.charts.memory,
    'limits.swap': t.settings.swap,
    'limits.disk': t.settings.disk,
    'limits.io': t.settings.diskPriority,
    'limits.cpu': t.create.cpu,
    'limits.processes': t.settings.processes,
    ports: t.settings.network,
    blockLan: t.settings.blockLan
  };
  return labels[key] ?? key;
}

export function settingsText(key: string, value: unknown): string {
  if (key === 'ports') return (value as Port[]).map((port) => `${port.external} → ${port.internal} ${port.protocol.toUpperCase()}`).join('\n') || t.clash.empty;
  if (key === 'blockLan') return value ? t.clash.on : t.clash.off;
  if (key === 'limits.memory' || key === 'limits.disk') return value === 0 ? t.create.noLimit : bytes(value as number);
  if (key === 'limits.swap') return value === -1 ? t.create.noLimit : bytes(value as number);
  return String(value);
}
