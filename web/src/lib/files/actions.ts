import { Archive, ClipboardPaste, Copy, Download, FilePlus, FolderInput, FolderPlus, Info, Link, PackageOpen, Pencil, RefreshCw, Scissors, ShieldCheck, SquarePen, Trash2, type LucideIcon } from '@lucide/svelte';
import { isArchive } from './paths';
import { f } from './texts.svelte';
import type { FileEntry } from './types';

export interface Action {
  key: string;
  label: string;
  icon: LucideIcon;
  run: () => void;
  /** What stands together. */
  group: number;
  danger?: boolean;
  /** How the keyboard does it. */
  keys?: string;
}

export type Verb = 'open' | 'download' | 'rename' | 'move' | 'copy' | 'cut' | 'clip' | 'paste' | 'archive' | 'extract' | 'permissions' | 'details' | 'delete' | 'file' | 'folder' | 'pull' | 'refresh';

/** What can be done with these entries, or with the folder where there are none. */
export function actionsFor(chosen: FileEntry[], { writable, pastable }: { writable: boolean; pastable: boolean }, run: (verb: Verb) => void): Action[] {
  const one = chosen.length === 1 ? chosen[0] : undefined;
  const some = chosen.length > 0;
  const all: (Omit<Action, 'run'> & { key: Verb; when: boolean })[] = [
    { key: 'open', label: f.open, icon: SquarePen, group: 0, keys: f.keys.open, when: one !== undefined },
    { key: 'download', label: f.download, icon: Download, group: 0, when: some },
    { key: 'extract', label: f.extract, icon: PackageOpen, group: 0, when: writable && one?.kind === 'file' && isArchive(one.name) },
    { key: 'rename', label: f.rename, icon: Pencil, group: 1, keys: 'F2', when: writable && one !== undefined },
    { key: 'move', label: f.moveTo, icon: FolderInput, group: 1, when: writable && some },
    { key: 'copy', label: f.copyTo, icon: Copy, group: 1, when: writable && some },
    { key: 'cut', label: f.cut, icon: Scissors, group: 2, keys: f.keys.cut, when: writable && some },
    { key: 'clip', label: f.clip, icon: Copy, group: 2, keys: f.keys.clip, when: writable && some },
    { key: 'paste', label: f.paste, icon: ClipboardPaste, group: 2, keys: f.keys.paste, when: writable && pastable },
    { key: 'archive', label: f.archive, icon: Archive, group: 3, when: writable && some },
    { key: 'permissions', label: f.permissionsAsk, icon: ShieldCheck, group: 3, when: writable && some },
    { key: 'details', label: f.details, icon: Info, group: 3, when: some },
    { key: 'delete', label: f.delete, icon: Trash2, group: 4, danger: true, keys: f.keys.delete, when: writable && some },
    { key: 'folder', label: f.newFolder, icon: FolderPlus, group: 5, when: writable && !some },
    { key: 'file', label: f.newFile, icon: FilePlus, group: 5, when: writable && !some },
    { key: 'pull', label: f.pull, icon: Link, group: 5, when: writable && !some },
    { key: 'refresh', label: f.refresh, icon: RefreshCw, group: 6, when: !some }
  ];
  return all.filter(({ when }) => when).map(({ key, label, icon, group, danger, keys }) => ({ key, label, icon, group, danger, keys, run: () => run(key) }));
}
