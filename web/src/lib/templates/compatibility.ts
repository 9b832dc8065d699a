import type { TemplateSummary } from '../types';
import { t } from '../i18n/i18n.svelte';

const CPUS: Record<string, 'x86' | 'arm64' | 'arm'> = { amd64: 'x86', x86_64: 'x86', arm64: 'arm64', aarch64: 'arm64', arm: 'arm' };

export const cpuName = (arch: string): string => {
  const known = CPUS[arch];
  return known ? t.create.cpus[known] : arch;
};

/** Why a template does not run on a node; null when it does, or when nobody has said. */
export function whyNot(template: Pick<TemplateSummary, 'runs' | 'architectures'>, nodeId: string, arch: string | null | undefined): string | null {
  const here = nodeId in template.runs ? template.runs[nodeId] : undefined;
  // Where there is room is any node that it runs on.
  const runs = nodeId === 'auto' ? Object.values(template.runs).some((one) => one !== false) : here !== false;
  if (runs) return null;
  const wanted = [...new Set(template.architectures.map(cpuName))].join(t.create.or);
  return arch ? t.create.needsHere(wanted, cpuName(arch)) : t.create.needs(wanted);
}
