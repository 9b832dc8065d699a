/** What a topic of the live socket shows, asked by HTTP: for browsers behind a proxy that passes no WebSockets. */
import * as api from '../api';
import { backups } from '../api/backupCalls';

const TAIL = 200;

/** The data of a topic; nothing for topics that are not worth a question every few seconds. */
export async function ask(topic: string): Promise<unknown> {
  const colon = topic.indexOf(':');
  const kind = colon < 0 ? topic : topic.slice(0, colon);
  const id = topic.slice(colon + 1);
  switch (kind) {
    case 'servers':
      return { all: await api.servers.list() };
    case 'nodes':
      return { all: await api.nodes.list() };
    case 'status':
      return api.session.status();
    case 'upgrade':
      return api.upgrade.get();
    case 'console':
      return api.servers.console(id, TAIL);
    case 'backups':
      return backups.list(id);
    case 'stats':
      return (await api.servers.get(id)).stats ?? undefined;
    case 'files':
      return { jobs: await (await import('../api/files')).files(id).jobs() };
    default:
      return undefined;
  }
}
