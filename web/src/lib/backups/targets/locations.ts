/** How backup targets are reached: as fields of a form, and in words. */
import type { BackupTarget, BackupTargetKind, BackupTargetLocation } from '../../types';

/** All fields of all kinds; those of another kind are not sent. */
export interface Draft {
  kind: BackupTargetKind;
  path: string;
  endpoint: string;
  region: string;
  bucket: string;
  prefix: string;
  accessKey: string;
  secretKey: string;
  url: string;
  user: string;
  password: string;
  host: string;
  port: number;
  privateKey: string;
  hostKey: string;
}

export const KINDS: BackupTargetKind[] = ['folder', 's3', 'rest', 'sftp'];

export const empty = (): Draft => ({
  kind: 'folder', path: '', endpoint: '', region: '', bucket: '', prefix: '', accessKey: '', secretKey: '',
  url: '', user: '', password: '', host: '', port: 22, privateKey: '', hostKey: ''
});

/** What is known of a target; its secrets are not. */
export const draftOf = (target: BackupTarget): Draft => ({ ...empty(), ...target.location }) as Draft;

/** As it is sent. A secret that was left empty is left out: the panel keeps the one that it has. */
export function locationOf(draft: Draft): BackupTargetLocation {
  const some = (text: string) => (text === '' ? null : text);
  switch (draft.kind) {
    case 'folder':
      return { kind: 'folder', path: draft.path };
    case 's3':
      return { kind: 's3', endpoint: draft.endpoint, region: draft.region, bucket: draft.bucket, prefix: draft.prefix, accessKey: draft.accessKey, secretKey: some(draft.secretKey) };
    case 'rest':
      return { kind: 'rest', url: draft.url, user: draft.user, password: some(draft.password) };
    case 'sftp':
      return { kind: 'sftp', host: draft.host, port: draft.port, user: draft.user, path: draft.path, password: some(draft.password), privateKey: some(draft.privateKey), hostKey: some(draft.hostKey) };
  }
}

/** Where it is, in one line. */
export function address({ location }: BackupTarget): string {
  switch (location.kind) {
    case 'folder':
      return location.path;
    case 's3':
      return [location.endpoint, location.bucket, location.prefix].filter(Boolean).join('/');
    case 'rest':
      return location.url;
    case 'sftp':
      return `${location.user}@${location.host}${location.port === 22 ? '' : `:${location.port}`}:${location.path}`;
  }
}
