/** The calls of addresses and public links. Apart from the others, since few pages need them. */
import { call, client, path } from '../api';

const link = (token: string) => ({ params: { path: { token } } });

export const reach = {
  get: (id: string) => call(client.GET('/api/servers/{id}/reach', path(id))),
  allowRouter: (id: string, allow: boolean) => call(client.PUT('/api/servers/{id}/router', { ...path(id), body: { allow } })),
  setPublicAddress: (node: string, address: string | null) => call(client.PUT('/api/nodes/{id}/public-address', { ...path(node), body: { address } }))
};

export const shares = {
  get: async (id: string) => (await call(client.GET('/api/servers/{id}/share', path(id)))).share ?? null,
  put: (id: string, wake: boolean, note: string) => call(client.PUT('/api/servers/{id}/share', { ...path(id), body: { wake, note } })),
  revoke: (id: string) => call(client.DELETE('/api/servers/{id}/share', path(id)))
};

/** By the secret of a link, without an account. */
export const shared = {
  get: (token: string) => call(client.GET('/api/shared/{token}', link(token))),
  wake: (token: string) => call(client.POST('/api/shared/{token}/wake', link(token)))
};
