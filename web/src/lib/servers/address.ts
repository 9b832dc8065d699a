import type { Port } from '../types';

/** True for names and addresses that only this very machine reaches. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name);
}

/** The machine's address in the home network, the likeliest first; null when it has none. */
export function lanAddress(networks: Record<string, string> | null | undefined): string | null {
  const usable = Object.entries(networks ?? {})
    .map(([name, address]) => ({ name, address: address.split('/')[0] ?? '' }))
    .filter(({ name, address }) => address !== '' && !isLoopback(address) && !isInternal(name) && !isLinkLocal(address));
  usable.sort((a, b) => rank(a.address) - rank(b.address) || a.name.localeCompare(b.name));
  return usable[0]?.address ?? null;
}

/** Bridges and tunnels of container engines: no friend's game reaches those. */
const isInternal = (name: string) => /^(lo$|docker|br-|veth|podman|cni|virbr|flannel|cali|tun|tap)/.test(name);
const isLinkLocal = (address: string) => /^169\.254\./.test(address) || /^fe80:/i.test(address);

function rank(address: string): number {
  if (/^192\.168\./.test(address)) return 0;
  if (/^10\./.test(address)) return 1;
  if (/^172\.(1[6-9]|2\d|3[01])\./.test(address)) return 2;
  if (!address.includes(':')) return 3;
  return /^f[cd]/i.test(address) ? 4 : 5;
}

/** Every port to forward, each once with its protocols: `25565 TCP + UDP`. */
export function portList(ports: Port[]): string[] {
  const byNumber: Record<string, string[]> = {};
  for (const port of ports) (byNumber[port.external] ??= []).push(port.protocol.toUpperCase());
  return Object.entries(byNumber).map(([number, protocols]) => `${number} ${[...new Set(protocols)].sort().join(' + ')}`);
}

export interface Address {
  /** What a player types in. */
  text: string;
  host: string;
  port: Port;
  /** Said where the address only works on this very machine. */
  onlyHere: boolean;
}

/**
 * The address to copy: the name by which the browser reaches the panel and the first port. On a loopback name the node's
 * address in the home network stands in; on another node its own address always does.
 */
export function serverAddress(
  pageHost: string,
  ports: Port[],
  node: { local: boolean; networks?: Record<string, string> | null }
): Address | null {
  const port = ports[0];
  if (!port) return null;
  const lan = lanAddress(node.networks);
  const host = node.local && !isLoopback(pageHost) ? pageHost : (lan ?? pageHost);
  const bare = host.replace(/^\[|\]$/g, '');
  const shown = bare.includes(':') ? `[${bare}]` : bare;
  return { text: `${shown}:${port.external}`, host: bare, port, onlyHere: isLoopback(bare) };
}
