import type { TemplateSummary } from '../types';

const CPUS: Record<string, string> = {
  amd64: 'Intel/AMD (amd64)',
  x86_64: 'Intel/AMD (amd64)',
  arm64: '64-bit ARM (arm64)',
  aarch64: '64-bit ARM (arm64)',
  arm: '32-bit ARM'
};

export const cpuName = (arch: string) => CPUS[arch] ?? arch;

/** Why a template does not run on a node; null when it does, or when nobody has said. */
export function whyNot(template: Pick<TemplateSummary, 'runs' | 'architectures'>, nodeId: string, arch: string | null | undefined): string | null {
  const here = nodeId in template.runs ? template.runs[nodeId] : undefined;
  // Where there is room is any node that it runs on.
  const runs = nodeId === 'auto' ? Object.values(template.runs).some((one) => one !== false) : here !== false;
  if (runs) return null;
  const wanted = [...new Set(template.architectures.map(cpuName))].join(' or ');
  return arch ? `Needs ${wanted}; this machine is ${cpuName(arch)}` : `Needs ${wanted}`;
}
