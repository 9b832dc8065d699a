/** The calls of a server's files. Apart from the others, since only the file manager needs them. */
import { raw } from '../api';
import { send } from './send';
import type { SftpAccess } from '../types';
import type { ArchiveFormat, FileEntry, FileVersion, Found, Job, TrashEntry, Usage } from '../files/types';

export const filesBase = (id: string) => `/api/servers/${encodeURIComponent(id)}/files`;
const query = (values: Record<string, string | number | boolean | undefined>) =>
  Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`)
    .join('&');

const json = async <T>(address: string, init: RequestInit = {}): Promise<T> => (await raw(address, init as never)).json() as Promise<T>;
const post = (body: unknown, signal?: AbortSignal) => ({ method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' }, ...(signal ? { signal } : {}) });

/** Bytes of a file, with what is told of the whole. */
export interface Content {
  bytes: Uint8Array<ArrayBuffer>;
  /** The whole file's size. */
  size: number;
  etag: string | null;
}

async function bytesOf(address: string, range?: string): Promise<Content> {
  const answer = await raw(address, range ? { headers: { Range: range } } : {});
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const total = /\/(\d+)$/.exec(answer.headers.get('content-range') ?? '')?.[1];
  return { bytes, size: total ? Number(total) : bytes.length, etag: answer.headers.get('etag') };
}

export const files = (id: string) => {
  const base = filesBase(id);
  const contentAt = (path: string) => `${base}/content?${query({ path })}`;
  const job = (what: string, body: unknown) => json<Job>(`${base}/${what}`, post(body));
  const done = async (what: string, body: unknown) => void (await raw(`${base}/${what}`, post(body)));
  return {
    /** How one reaches the files by SFTP. */
    sftp: () => json<SftpAccess>(`/api/servers/${encodeURIComponent(id)}/sftp`),
    /** One page of a folder, by name in byte order, and how many entries there are. */
    async list(path: string, page: { after?: string; limit?: number; unless?: string } = {}, signal?: AbortSignal): Promise<{ entries: FileEntry[]; total: number; etag: string | null }> {
      const answer = await raw(`${base}?${query({ path, ...page })}`, signal ? { signal } : {});
      const entries = (await answer.json()) as FileEntry[];
      return { entries, total: Number(answer.headers.get('x-total-count') ?? entries.length), etag: answer.headers.get('etag') };
    },
    read: (path: string, range?: string) => bytesOf(contentAt(path), range),
    /** Upon the state that was seen, or only where there is no such file; gives the new state. */
    async write(path: string, body: Blob, { etag, fresh, progress, signal }: { etag?: string | null; fresh?: boolean; progress?: (sent: number) => void; signal?: AbortSignal } = {}): Promise<string | null> {
      const upon: Record<string, string> = fresh ? { 'If-None-Match': '*' } : etag ? { 'If-Match': etag } : {};
      const answer = await send('PUT', contentAt(path), { body, headers: { 'Content-Type': 'application/octet-stream', ...upon }, progress, signal });
      return answer.header('etag');
    },
    mkdir: (path: string) => done('mkdir', { path }),
    rename: (path: string, to: string, replace = false) => done('rename', { path, to, ...(replace ? { replace } : {}) }),
    chmod: (path: string, mode: string, recursive: boolean) => done('chmod', { path, mode, recursive }),
    copy: (path: string, to: string) => job('copy', { path, to }),
    remove: (paths: string[], permanent: boolean) => job('delete', { paths, permanent }),
    archive: (paths: string[], to: string) => job('archive', { paths, to }),
    extract: (path: string, to: string) => job('extract', { path, to }),
    pull: (url: string, to: string) => job('pull', { url, to }),
    jobs: () => json<Job[]>(`${base}/jobs`),
    cancel: async (id: string) => void (await raw(`${base}/jobs/${encodeURIComponent(id)}`, { method: 'DELETE' })),
    trash: () => json<TrashEntry[]>(`${base}/trash`),
    restore: (ids: string[]) => job('trash/restore', { ids }),
    empty: (ids?: string[]) => job('trash/empty', ids ? { ids } : {}),
    versions: (path: string) => json<FileVersion[]>(`${base}/versions?${query({ path })}`),
    version: (path: string, version: string) => bytesOf(`${base}/versions/${encodeURIComponent(version)}?${query({ path })}`),
    search: (body: { path: string; name?: string; content?: string; caseSensitive?: boolean; limit?: number }, signal: AbortSignal) => json<Found>(`${base}/search`, post(body, signal)),
    usage: (refresh = false) => json<Usage>(`${base}/usage${refresh ? '?refresh=true' : ''}`),
    /** A link that works once, for a minute. */
    ticket: (paths: string[], format?: ArchiveFormat) => json<{ url: string; name: string }>(`${base}/downloads`, post({ paths, ...(format ? { format } : {}) }))
  };
};
