/** The files of what was dropped or picked, folders included, with the paths that they get. */
import { join } from './paths';

export interface Gathered {
  files: { path: string; file: File }[];
  /** Folders without files, which would be lost else. */
  folders: string[];
}

/** More than this is not what anybody means by a drop. */
const MOST = 100_000;

/** Must be called while the event is handled: afterwards the browser forgets what was dropped. */
export function gather(transfer: DataTransfer, folder: string): Promise<Gathered> {
  const roots = [...transfer.items].filter((item) => item.kind === 'file').map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const found: Gathered = { files: [], folders: [] };
  return roots
    .reduce(async (before, root) => {
      await before;
      if (root instanceof File) found.files.push({ path: join(folder, root.name), file: root });
      else if (root) await walk(root, folder, found);
    }, Promise.resolve())
    .then(() => found);
}

async function walk(entry: FileSystemEntry, folder: string, found: Gathered): Promise<void> {
  if (found.files.length >= MOST) return;
  const path = join(folder, entry.name);
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.files.push({ path, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  let empty = true;
  for (;;) {
    // A browser gives a hundred at a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    empty = false;
    for (const one of some) await walk(one, path, found);
  }
  if (empty) found.folders.push(path);
}

/** Of a picker for files or for a folder. */
export function picked(list: FileList, folder: string): Gathered {
  const files = [...list].slice(0, MOST).map((file) => ({ path: join(folder, file.webkitRelativePath || file.name), file }));
  return { files, folders: [] };
}
