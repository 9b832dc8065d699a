/** What the panel tells of a server's files, by short names. */
import type { components } from '../../../generated/schema';

type Schemas = components['schemas'];

export type FileKind = Schemas['FileKind'];
/** A byte of its name that is not UTF-8 is a character of U+EF80 to U+EFFF. */
export type FileEntry = Schemas['FileEntry'];
export type JobState = Schemas['FileJobState'];
export type Job = Schemas['FileJob'];
export type TrashEntry = Schemas['TrashEntry'];
export type FileVersion = Schemas['FileVersion'];
export type Match = Schemas['FileMatch'];
export type Found = Schemas['FileMatches'];
export type Usage = Schemas['FileUsage'];

export type ArchiveFormat = 'zip' | 'tar.zst' | 'tar.gz';
