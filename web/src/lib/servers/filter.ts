/** Which servers are shown, and in which order. Pure, so that it can be tested. */
import type { Server, ServerStatus } from '../types';

export type Sort = 'state' | 'name' | 'node';

export interface Filter {
  text: string;
  /** Empty for any; so are the next two. */
  status: ServerStatus | '';
  node: string;
  tag: string;
  favourites: boolean;
}

export const ALL: Filter = { text: '', status: '', node: '', tag: '', favourites: false };

/** What somebody marked for himself. */
export interface Marked {
  isFavourite: (id: string) => boolean;
  tags: (id: string) => readonly string[];
}

/** "8" before "48", whatever stands around them. */
export const natural = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

const RANK: Partial<Record<ServerStatus, number>> = { running: 0, starting: 1, stopping: 1, paused: 1, crashed: 2, install_failed: 2 };

export function shown(list: Server[], filter: Filter, sort: Sort, marked: Marked): Server[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = list.filter(
    (server) =>
      (filter.status === '' || server.status === filter.status) &&
      (filter.node === '' || server.nodeId === filter.node) &&
      (filter.tag === '' || marked.tags(server.id).includes(filter.tag)) &&
      (!filter.favourites || marked.isFavourite(server.id)) &&
      (words.length === 0 || holds(server, words, marked.tags(server.id)))
  );
  // Favourites stand above the others, whatever the order.
  const first = (server: Server) => Number(!marked.isFavourite(server.id));
  const by = sort === 'state' ? (server: Server) => RANK[server.status] ?? 3 : () => 0;
  return found.sort(
    (a, b) =>
      first(a) - first(b) ||
      by(a) - by(b) ||
      (sort === 'node' ? natural.compare(a.nodeName ?? '', b.nodeName ?? '') : 0) ||
      natural.compare(a.name, b.name) ||
      (a.id < b.id ? -1 : 1)
  );
}

/** Every word stands somewhere in what one sees of the server. */
function holds(server: Server, words: string[], tags: readonly string[]): boolean {
  const text = [server.name, server.templateName ?? '', server.image, server.nodeName ?? '', ...tags, ...server.ports.map((port) => String(port.external))].join('\n').toLowerCase();
  return words.every((word) => text.includes(word));
}
