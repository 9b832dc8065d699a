/** The calls of who plays. Apart from the others, since only one page needs them. */
import { call, client, path } from '../api';
import type { PlayerAction } from '../types';

export const players = {
  list: (id: string) => call(client.GET('/api/servers/{id}/players', path(id))),
  act: (id: string, action: PlayerAction, player: string) => call(client.POST('/api/servers/{id}/players/actions', { ...path(id), body: { action, player } })),
  say: (id: string, text: string) => call(client.POST('/api/servers/{id}/players/actions', { ...path(id), body: { action: 'message', text } }))
};
