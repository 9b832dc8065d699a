/** The calls of an account's SSH keys. Apart from the others, since only the account page needs them. */
import { raw } from '../api';
import type { SshKey } from '../types';

const BASE = '/api/account/ssh-keys';

export const sshKeys = {
  list: async (): Promise<SshKey[]> => (await raw(BASE)).json() as Promise<SshKey[]>,
  add: async (key: string, name: string): Promise<SshKey> => {
    const body = JSON.stringify({ key, ...(name.trim() ? { name: name.trim() } : {}) });
    return (await raw(BASE, { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })).json() as Promise<SshKey>;
  },
  remove: async (id: string): Promise<void> => void (await raw(`${BASE}/${encodeURIComponent(id)}`, { method: 'DELETE' }))
};
