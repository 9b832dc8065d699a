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
export function whyNot(template: TemplateSummary, nodeId: string, arch: string | null | undefined): string | null {
  if (template.runs[nodeId] !== false) return null;
  const wanted = [...new Set(template.architectures.map(cpuName))].join(' or ');
  return arch ? `Needs ${wanted}; this machine is ${cpuName(arch)}` : `Needs ${wanted}`;
}
