/** The only fetch: one function per call of the HTTP API. Every failure is thrown as an ApiError. */
import { createClient, type Asked } from './api/client';
import { early } from './early';
import { ApiError, errorFrom } from './errors';
import * as keys from './account/keys';
import { now } from './now.svelte';
import type { CreateServer, GrantedPermission, Mend, NodePatch, PowerAction, ServerPatch } from './types';
import { t } from './i18n/i18n.svelte';

// What is asked for later than this wants to know how it is then.
const EARLY = 15_000;

/** The key that went with the request of an answer: another tab may have signed in anew meanwhile. */
const sentKeys = new WeakMap<Response, string>();

async function ask({ method, address, path, headers, body, signal }: Asked): Promise<Response> {
  const session = keys.sessionKey() ?? '';
  const device = path === '/api/session' && method === 'POST' ? keys.deviceKey() : null;
  const known = method === 'GET' && performance.now() < EARLY ? early(address, session) : null;
  const own = { ...(session ? { 'X-Session-Key': session } : {}), ...(device ? { 'X-Device-Key': device } : {}) };
  // eslint-disable-next-line no-restricted-globals
  const response = await (known ?? fetch(address, { method, body, signal, credentials: 'same-origin', cache: 'no-store', headers: { ...headers, ...own } }));
  sentKeys.set(response, session);
  return response;
}

export const client = createClient(ask);

/** Keeps what a sign-in has brought for this origin only; the cookies that belong to it are kept by the browser. */
async function keep<T extends { sessionKey: string; deviceKey?: string }>(answer: Promise<T>): Promise<T> {
  const signedIn = await answer;
  keys.setSessionKey(signedIn.sessionKey);
  if (signedIn.deviceKey) keys.setDeviceKey(signedIn.deviceKey);
  return signedIn;
}

/** Called once when an answer says that nobody is signed in (any more). */
let onSignedOut: () => void = () => {};
export function whenSignedOut(act: () => void) {
  onSignedOut = act;
}

export async function call<T>(sent: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let answer;
  try {
    answer = await sent;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError('network', t.errors.network);
  }
  const { data, error, response } = answer;
  now.learn(response.headers.get('date'));
  if (response.ok) return data as T;
  throw refusal(error, response.status, response.headers.get('retry-after'), sentKeys.get(response) ?? '');
}

/** What an answer says that is none; `key` is the session that it was asked for. */
export function refusal(error: unknown, status: number, retryAfter: string | null, key: string): ApiError {
  const failure = errorFrom(error, status, retryAfter);
  if (failure.code === 'unauthenticated') {
    keys.forgetSessionKey(key);
    onSignedOut();
  }
  return failure;
}

/** A call whose body or answer is bytes. */
export async function raw(address: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<Response> {
  const key = keys.sessionKey() ?? '';
  let response;
  try {
    // eslint-disable-next-line no-restricted-globals
    response = await fetch(address, { credentials: 'same-origin', cache: 'no-store', ...init, headers: { ...(key ? { 'X-Session-Key': key } : {}), ...init.headers } });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError('network', t.errors.network);
  }
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => undefined);
  throw refusal(body, response.status, response.headers.get('retry-after'), key);
}

/** Refused with `precondition_failed` where the panel has another revision than the one that was seen. */
export const seen = (revision?: string) => (revision === undefined ? {} : { headers: { 'If-Match': `"${revision}"` } });
/** The revision that an answer names. */
async function revisionOf(sent: Promise<{ data?: unknown; error?: unknown; response: Response }>): Promise<string | null> {
  let tag: string | null = null;
  await call(sent.then((answer) => ((tag = answer.response.headers.get('etag')), answer)));
  return /^(?:W\/)?"(.*)"$/.exec(tag ?? '')?.[1] ?? null;
}

export const path = (id: string) => ({ params: { path: { id } } });
const member = (id: string, user: string) => ({ params: { path: { id, user } } });

export const setup = {
  needed: () => call(client.GET('/api/setup')),
  /** Whether this is the token. The account that is asked for has no name, so that none is made. */
  tokenFits: async (setupToken: string) => {
    try {
      await call(client.POST('/api/setup', { body: { setupToken, username: '', password: '' } }));
    } catch (error) {
      if (error instanceof ApiError && error.code === 'invalid') return true;
      if (error instanceof ApiError && error.code === 'bad_setup_token') return false;
      throw error;
    }
    return true;
  },
  claim: (setupToken: string, username: string, password: string) =>
    keep(call(client.POST('/api/setup', { body: { setupToken, username, password } })))
};

export const session = {
  signIn: (username: string, password: string) =>
    keep(call(client.POST('/api/session', { body: { username, password } }))),
  signOut: async () => {
    const key = keys.sessionKey() ?? '';
    await call(client.DELETE('/api/session'));
    keys.forgetSessionKey(key);
  },
  status: () => call(client.GET('/api/status'))
};

export const me = {
  get: () => call(client.GET('/api/me')),
  password: (current: string, next: string) => call(client.PUT('/api/me/password', { body: { current, new: next } })),
  sessions: () => call(client.GET('/api/me/sessions')),
  revoke: (id: string) => call(client.DELETE('/api/me/sessions/{id}', path(id)))
};

export const nodes = {
  list: () => call(client.GET('/api/nodes')),
  get: (id: string) => call(client.GET('/api/nodes/{id}', path(id))),
  create: (id: string, name: string) => call(client.POST('/api/nodes', { body: { id, name } })),
  change: (id: string, body: NodePatch, revision?: string) =>
    call(client.PATCH('/api/nodes/{id}', { ...path(id), body, ...seen(revision) })),
  remove: (id: string, force = false) =>
    call(client.DELETE('/api/nodes/{id}', { params: { path: { id }, query: force ? { force } : {} } })),
  renewSecret: (id: string) => call(client.POST('/api/nodes/{id}/secret', path(id))),
  revokeSecret: (id: string) => call(client.DELETE('/api/nodes/{id}/secret', path(id))),
  mend: (id: string, server: string, action: Mend) =>
    call(client.POST('/api/nodes/{id}/differences/{server}', { params: { path: { id, server } }, body: { action } }))
};

export const doctor = {
  last: () => call(client.GET('/api/doctor')),
  run: () => call(client.POST('/api/doctor'))
};

export const upgrade = {
  get: () => call(client.GET('/api/upgrade')),
  check: () => call(client.POST('/api/upgrade/check')),
  begin: (version: string) => call(client.POST('/api/upgrade', { body: { version } })),
  nodes: (nodes?: string[]) => call(client.POST('/api/upgrade/nodes', { body: { nodes } })),
  stopNodes: () => call(client.DELETE('/api/upgrade/nodes'))
};

export const servers = {
  list: () => call(client.GET('/api/servers')),
  get: (id: string) => call(client.GET('/api/servers/{id}', path(id))),
  preview: (body: CreateServer, signal?: AbortSignal) => call(client.POST('/api/servers/preview', { body, signal })),
  create: (body: CreateServer) => call(client.POST('/api/servers', { body })),
  change: (id: string, body: ServerPatch, revision?: string) =>
    call(client.PATCH('/api/servers/{id}', { ...path(id), body, ...seen(revision) })),
  remove: (id: string, force = false, keepBackups = true) =>
    call(client.DELETE('/api/servers/{id}', { params: { path: { id }, query: { ...(force ? { force } : {}), ...(keepBackups ? {} : { keepBackups }) } } })),
  power: (id: string, action: PowerAction) =>
    call(client.POST('/api/servers/{id}/power', { ...path(id), body: { action } })),
  command: (id: string, command: string) =>
    call(client.POST('/api/servers/{id}/command', { ...path(id), body: { command } })),
  install: (id: string, backupFirst = false) =>
    call(client.POST('/api/servers/{id}/install', { params: { path: { id }, query: backupFirst ? { backupFirst } : {} } })),
  reinstall: (id: string, wipe: boolean, backupFirst: boolean) =>
    call(client.POST('/api/servers/{id}/reinstall', { ...path(id), body: { wipe, backupFirst } })),
  acceptEula: (id: string) => call(client.POST('/api/servers/{id}/eula', path(id))),
  installLog: (id: string): Promise<string> =>
    call(client.GET('/api/servers/{id}/install-log', { ...path(id), parseAs: 'text' }) as Promise<{ data?: string; error?: unknown; response: Response }>),
  templateVersion: (id: string) => call(client.GET('/api/servers/{id}/template', path(id))),
  takeTemplate: (id: string, backupFirst: boolean, revision?: string) =>
    call(client.POST('/api/servers/{id}/template', { params: { path: { id }, query: backupFirst ? { backupFirst } : {} }, ...seen(revision) })),
  image: (id: string) => call(client.GET('/api/servers/{id}/image', path(id))),
  cancelInstall: (id: string) => call(client.DELETE('/api/servers/{id}/install', path(id))),
  console: (id: string, tail: number) =>
    call(client.GET('/api/servers/{id}/console', { params: { path: { id }, query: { tail } } })),
  trends: () => call(client.GET('/api/servers/trends')),
  stats: (id: string) => call(client.GET('/api/servers/{id}/stats', path(id))),
  move: (id: string, nodeId: string) => call(client.POST('/api/servers/{id}/move', { ...path(id), body: { nodeId } })),
  cancelMove: (id: string) => call(client.DELETE('/api/servers/{id}/move', path(id))),
  users: (id: string) => call(client.GET('/api/servers/{id}/users', path(id))),
  /** Upon this revision of what the user may do, null where that was nothing; gives the new one. */
  permit: (id: string, user: string, permissions: GrantedPermission[], revision: string | null) => {
    const upon = revision === null ? { headers: { 'If-None-Match': '*' } } : seen(revision);
    return revisionOf(client.PUT('/api/servers/{id}/users/{user}', { ...member(id, user), body: { permissions }, ...upon }));
  },
  forbid: (id: string, user: string, revision: string) =>
    call(client.DELETE('/api/servers/{id}/users/{user}', { ...member(id, user), ...seen(revision) }))
};
