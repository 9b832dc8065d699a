import { File, FileArchive, FileCode, FileImage, FileText, Folder, Link2, type LucideIcon } from '@lucide/svelte';
import { endingOf, isArchive } from './paths';
import type { FileKind } from './types';

const CODE = new Set(['js', 'mjs', 'ts', 'json', 'json5', 'lua', 'java', 'py', 'sh', 'bat', 'xml', 'html', 'css', 'yml', 'yaml', 'toml', 'sk', 'mcfunction']);
const TEXT = new Set(['txt', 'md', 'log', 'properties', 'ini', 'cfg', 'conf', 'csv', 'lang']);
const IMAGES = new Set(['png', 'jpg', 'jpeg', 'gif', 'webp', 'avif', 'bmp', 'ico']);

export const isImage = (name: string): boolean => IMAGES.has(endingOf(name));

export function iconOf(kind: FileKind, name: string): LucideIcon {
  if (kind === 'directory') return Folder;
  if (kind === 'symlink') return Link2;
  if (isArchive(name)) return FileArchive;
  const ending = endingOf(name);
  if (IMAGES.has(ending)) return FileImage;
  if (CODE.has(ending)) return FileCode;
  return TEXT.has(ending) ? FileText : File;
}
