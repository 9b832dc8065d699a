/** The calls of logins at image registries. Apart from the others, since only the settings need them. */
import { call, client, path } from '../api';

export const registries = {
  list: () => call(client.GET('/api/registries')),
  put: (host: string, username: string, secret: string) =>
    call(client.POST('/api/registries', { body: { host, username, secret } })),
  remove: (id: string) => call(client.DELETE('/api/registries/{id}', path(id)))
};
