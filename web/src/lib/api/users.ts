/** The calls of accounts. Apart from the others, since only admins need them. */
import { call, client, path, seen } from '../api';
import type { Role } from '../types';

export const users = {
  list: () => call(client.GET('/api/users')),
  create: (username: string, password: string, role: Role) =>
    call(client.POST('/api/users', { body: { username, password, role } })),
  change: (id: string, body: { username?: string; password?: string; role?: Role }, revision?: string) =>
    call(client.PATCH('/api/users/{id}', { ...path(id), body, ...seen(revision) })),
  remove: (id: string) => call(client.DELETE('/api/users/{id}', path(id)))
};
