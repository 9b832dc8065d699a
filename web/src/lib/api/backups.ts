/** What is in a backup. Apart from the other calls, since only its own page needs them. */
import { raw } from '../api';
import type { ListPage } from '../files/listing.svelte';
import type { ArchiveFormat, FileEntry } from '../files/types';

const post = (body: unknown) => ({ method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });

export const backupContents = (server: string, backup: string) => {
  const base = `/api/servers/${encodeURIComponent(server)}/backups/${encodeURIComponent(backup)}`;
  const list: ListPage = async (path, { after, limit }, signal) => {
    const query = new URLSearchParams({ path, ...(after === undefined ? {} : { after }), ...(limit === undefined ? {} : { limit: String(limit) }) });
    const answer = await raw(`${base}/files?${query}`, signal ? { signal } : {});
    const entries = (await answer.json()) as FileEntry[];
    return { entries, total: Number(answer.headers.get('x-total-count') ?? entries.length), etag: null };
  };
  return {
    list,
    /** Only these files and folders. */
    restore: async (paths: string[]) => void (await raw(`${base}/restore`, post({ paths }))),
    /** A link that works once, for a minute; all files where there is no path. */
    ticket: async (paths: string[], format: ArchiveFormat) => (await (await raw(`${base}/downloads`, post({ paths, format }))).json()) as { url: string; name: string }
  };
};
