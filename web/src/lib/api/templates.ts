/** The calls of templates and of their sources. Apart from the others, since the list of servers needs none of them. */
import { call, client, path, seen } from '../api';

export type ExportFormat = 'native' | 'ptdl_v2' | 'plcn_v3' | 'plcn_v3_json';

/** A template's file as it is; JSON is YAML, too. */
const file = (text: string) => ({ body: text as never, bodySerializer: (body: unknown) => body as string, headers: { 'Content-Type': 'application/yaml' } });

export const templates = {
  list: () => call(client.GET('/api/templates')),
  get: (id: string) => call(client.GET('/api/templates/{id}', path(id))),
  add: (text: string) => call(client.POST('/api/templates', file(text))),
  preview: (text: string, signal?: AbortSignal) => call(client.POST('/api/templates/preview', { ...file(text), signal })),
  change: (id: string, text: string, revision?: string | null) =>
    call(client.PUT('/api/templates/{id}', { ...path(id), ...file(text), headers: { ...file(text).headers, ...seen(revision ?? undefined).headers } })),
  remove: (id: string) => call(client.DELETE('/api/templates/{id}', path(id))),
  duplicate: (id: string) => call(client.POST('/api/templates/{id}/duplicate', path(id))),
  icon: (id: string): Promise<Blob> =>
    call(client.GET('/api/templates/{id}/icon', { ...path(id), parseAs: 'blob' }) as Promise<{ data?: Blob; error?: unknown; response: Response }>),
  setIcon: (id: string, picture: Blob) =>
    call(client.PUT('/api/templates/{id}/icon', { ...path(id), body: picture as never, bodySerializer: (body: unknown) => body as Blob, headers: { 'Content-Type': picture.type || 'application/octet-stream' } })),
  removeIcon: (id: string) => call(client.DELETE('/api/templates/{id}/icon', path(id))),
  fromLink: (url: string) => call(client.POST('/api/templates/import', { body: { url } })),
  fromArchive: (archive: Blob) =>
    call(client.POST('/api/templates/archive', { body: archive as never, bodySerializer: (body: unknown) => body as Blob, headers: { 'Content-Type': 'application/zip' } })),
  file: (id: string, format: ExportFormat): Promise<string> =>
    call(client.GET('/api/templates/{id}/export', { params: { path: { id }, query: { format } }, parseAs: 'text' }) as Promise<{ data?: string; error?: unknown; response: Response }>)
};

export const sources = {
  list: () => call(client.GET('/api/templates/sources')),
  add: (url: string) => call(client.POST('/api/templates/sources', { body: { url } })),
  remove: (id: string) => call(client.DELETE('/api/templates/sources/{id}', path(id))),
  refresh: (id: string) => call(client.POST('/api/templates/sources/{id}/refresh', path(id))),
  search: (query: string) => call(client.GET('/api/templates/sources/entries', { params: { query: { query } } })),
  take: (id: string, number: number) =>
    call(client.POST('/api/templates/sources/{id}/entries/{number}/add', { params: { path: { id, number: String(number) } } }))
};
