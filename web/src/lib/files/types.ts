/** What the panel tells of a server's files. */
export type FileKind = 'file' | 'directory' | 'symlink' | 'other';

export interface FileEntry {
  /** As the API writes it: a byte that is not UTF-8 is a character of U+EF80 to U+EFFF. */
  name: string;
  kind: FileKind;
  /** In bytes. */
  size: number;
  /** Octal: "755". */
  mode: string;
  modified: string;
  /** Where a symlink leads. */
  target?: string | null;
}

export type JobState = 'running' | 'done' | 'failed' | 'cancelled';

export interface Job {
  id: string;
  kind: string;
  state: JobState;
  entries: number;
  bytes: number;
  totalBytes?: number | null;
  path?: string | null;
  startedAt: string;
  endedAt?: string | null;
  error?: { code: string; message: string } | null;
  skipped?: { path: string; reason: string }[];
  skippedCount?: number;
  trashed?: { id: string; path: string }[];
}

export interface TrashEntry {
  id: string;
  path: string;
  kind: FileKind;
  size: number;
  deletedAt: string;
}

export interface FileVersion {
  id: string;
  size: number;
  savedAt: string;
}

export interface Match {
  path: string;
  kind: FileKind;
  line?: number | null;
  text?: string | null;
}

export interface Found {
  matches: Match[];
  scanned: number;
  truncated: boolean;
}

export interface Usage {
  bytes: number;
  entries: number;
  /** What the server may take, in bytes; absent without a limit. */
  limit?: number | null;
  measuredAt?: string | null;
  measuring: boolean;
  largest: { path: string; kind: FileKind; bytes: number }[];
}

export type ArchiveFormat = 'zip' | 'tar.zst' | 'tar.gz';
