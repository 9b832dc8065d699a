/** The calls of backups, of servers' policies and of backup targets. Apart from the others, since few pages need them. */
import { call, client, path, raw, seen } from '../api';
import type { BackupPatch, BackupPolicyChange, BackupTargetChange, BackupTargetLocation, BackupTargetTry } from '../types';

const one = (id: string, backup: string) => ({ params: { path: { id, backup } } });

export const backups = {
  list: (id: string) => call(client.GET('/api/servers/{id}/backups', path(id))),
  create: (id: string, name: string, note: string, target?: string) =>
    call(client.POST('/api/servers/{id}/backups', { ...path(id), body: { name, note, ...(target === undefined ? {} : { target }) } })),
  policy: (id: string) => call(client.GET('/api/servers/{id}/backup-policy', path(id))),
  setPolicy: (id: string, body: BackupPolicyChange, revision?: string) =>
    call(client.PUT('/api/servers/{id}/backup-policy', { ...path(id), body, ...seen(revision) })),
  policyPreview: (id: string, keep: BackupPolicyChange['keep']) => call(client.POST('/api/servers/{id}/backup-policy/preview', { ...path(id), body: { keep } })),
  change: (id: string, backup: string, body: BackupPatch) => call(client.PATCH('/api/servers/{id}/backups/{backup}', { ...one(id, backup), body })),
  restore: (id: string, backup: string) => call(client.POST('/api/servers/{id}/backups/{backup}/restore', one(id, backup))),
  restoreAs: (id: string, backup: string, name: string) => call(client.POST('/api/servers/{id}/backups/{backup}/restore-as', { ...one(id, backup), body: { name } })),
  test: (id: string, backup: string) => call(client.POST('/api/servers/{id}/backups/{backup}/test', one(id, backup))),
  cancel: (id: string, backup: string) => call(client.POST('/api/servers/{id}/backups/{backup}/cancel', one(id, backup))),
  remove: (id: string, backup: string) => call(client.DELETE('/api/servers/{id}/backups/{backup}', one(id, backup)))
};

export const backupTargets = {
  list: () => call(client.GET('/api/backup-targets')),
  add: (name: string, location: NonNullable<BackupTargetChange['location']>, adopt?: { repositoryPassword: string; nodeId: string | null }) =>
    call(client.POST('/api/backup-targets', { body: { name, location, ...adopt } })),
  change: (id: string, body: BackupTargetChange) => call(client.PATCH('/api/backup-targets/{id}', { ...path(id), body })),
  remove: (id: string) => call(client.DELETE('/api/backup-targets/{id}', path(id))),
  test: (body: BackupTargetTry) => call(client.POST('/api/backup-targets/test', { body })),
  check: (id: string) => call(client.POST('/api/backup-targets/{id}/check', path(id))),
  nodeRepository: (node: string) => call(client.GET('/api/nodes/{id}/backup-repository', path(node))),
  checkNode: (node: string) => call(client.POST('/api/nodes/{id}/backup-repository/check', path(node))),
  kit: async (id: string) => (await raw(`/api/backup-targets/${encodeURIComponent(id)}/kit`)).text(),
  nodeKit: async (node: string) => (await raw(`/api/nodes/${encodeURIComponent(node)}/backup-kit`)).text()
};

export const deletedServers = {
  list: () => call(client.GET('/api/deleted-servers')),
  keep: (id: string, keepDays: number | null) => call(client.PATCH('/api/deleted-servers/{id}', { ...path(id), body: { keepDays } })),
  remove: (id: string) => call(client.DELETE('/api/deleted-servers/{id}', path(id))),
  give: (id: string, serverId: string) => call(client.POST('/api/deleted-servers/{id}/give', { ...path(id), body: { serverId } })),
  backups: (id: string) => call(client.GET('/api/deleted-servers/{id}/backups', path(id))),
  change: (id: string, backup: string, body: BackupPatch) => call(client.PATCH('/api/deleted-servers/{id}/backups/{backup}', { ...one(id, backup), body })),
  restoreAs: (id: string, backup: string, name: string) =>
    call(client.POST('/api/deleted-servers/{id}/backups/{backup}/restore-as', { ...one(id, backup), body: { name } })),
  cancel: (id: string, backup: string) => call(client.POST('/api/deleted-servers/{id}/backups/{backup}/cancel', one(id, backup))),
  removeBackup: (id: string, backup: string) => call(client.DELETE('/api/deleted-servers/{id}/backups/{backup}', one(id, backup)))
};

export const panelBackups = {
  list: () => call(client.GET('/api/panel-backups')),
  make: () => call(client.POST('/api/panel-backups', { body: {} })),
  cancel: (id: string) => call(client.POST('/api/panel-backups/{id}/cancel', path(id))),
  remove: (id: string) => call(client.DELETE('/api/panel-backups/{id}', path(id))),
  policy: () => call(client.GET('/api/panel-backups/policy')),
  setPolicy: (body: BackupPolicyChange, revision: string) => call(client.PUT('/api/panel-backups/policy', { body, ...seen(revision) }))
};

/** A new panel that becomes the panel of a backup. */
export const panelRestore = {
  look: (setupToken: string, location: BackupTargetLocation, password: string) =>
    call(client.POST('/api/setup/restore/look', { body: { setupToken, location, password } })),
  start: (setupToken: string, location: BackupTargetLocation, password: string, backupId: string, servers: boolean) =>
    call(client.POST('/api/setup/restore', { body: { setupToken, location, password, backupId, servers } })),
  progress: (setupToken: string) => call(client.POST('/api/setup/restore/progress', { body: { setupToken } }))
};
