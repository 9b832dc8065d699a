/** The calls of the HTTP API as openapi-fetch wants them, until they are generated from `openapi.json`. */
import type * as T from './types';

type Json<B> = { content: { 'application/json': B } };
type Params<P, Q = never> = { path: P; query?: Q; header?: never; cookie?: never };
type Call<R, B = never, P = never, Q = never> = {
  parameters: [P] extends [never] ? { query?: Q; header?: never; path?: never; cookie?: never } : Params<P, Q>;
  requestBody?: [B] extends [never] ? never : Json<B>;
  responses: { 200: [R] extends [never] ? { content?: never } : Json<R> };
};
type Id = { id: string };
type Member = { id: string; user: string };

export interface paths {
  '/api/setup': {
    get: Call<{ needed: boolean }>;
    post: Call<T.SignedIn, { setupToken: string; username: string; password: string }>;
  };
  '/api/session': {
    post: Call<T.SignedIn, { username: string; password: string; totp?: string }>;
    delete: Call<never>;
  };
  '/api/status': { get: Call<T.Status> };
  '/api/me': { get: Call<T.Me> };
  '/api/me/password': { put: Call<never, { current: string; new: string }> };
  '/api/me/sessions': { get: Call<T.SessionInfo[]> };
  '/api/me/sessions/{id}': { delete: Call<never, never, Id> };
  '/api/users': {
    get: Call<T.User[]>;
    post: Call<T.User, { username: string; password: string; role: T.Role }>;
  };
  '/api/users/{id}': {
    patch: Call<T.User, { username?: string; password?: string; role?: T.Role }, Id>;
    delete: Call<never, never, Id>;
  };
  '/api/nodes': { get: Call<T.Node[]> };
  '/api/templates': { get: Call<T.TemplateSummary[]> };
  '/api/templates/{id}': { get: Call<T.Template, never, Id> };
  '/api/servers': { get: Call<T.Server[]>; post: Call<T.Server, T.CreateServer> };
  '/api/servers/preview': { post: Call<T.Preview, T.CreateServer> };
  '/api/servers/{id}': {
    get: Call<T.Server, never, Id>;
    patch: Call<T.Server, T.ServerPatch, Id>;
    delete: Call<never, never, Id, { force?: boolean }>;
  };
  '/api/servers/{id}/power': { post: Call<{ status: T.ServerStatus }, { action: T.PowerAction }, Id> };
  '/api/servers/{id}/command': { post: Call<never, { command: string }, Id> };
  '/api/servers/{id}/install': { post: Call<{ status: T.ServerStatus }, never, Id>; delete: Call<never, never, Id> };
  '/api/servers/{id}/stats': { get: Call<{ samples: T.Stats[] }, never, Id> };
  '/api/servers/{id}/users': { get: Call<T.ServerUser[], never, Id> };
  '/api/servers/{id}/users/{user}': {
    put: Call<never, { permissions: T.Permission[] }, Member>;
    delete: Call<never, never, Member>;
  };
}
