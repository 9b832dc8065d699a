/** The finished shell: the boot script inside of it, told which files the page will need. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CLIENT = '.svelte-kit/output/client';
const NODES = '.svelte-kit/generated/client-optimized/nodes';
const TAG = '<script src="/boot.js"></script>';
const NOTHING = '{ languages: {}, app: [], servers: [] }';

/** The file of a module and those that it needs, without what the shell names already. */
function files(manifest, key, shell) {
  const found = new Set();
  const walk = (name) => {
    const part = manifest[name];
    if (!part) throw new Error(`the build's manifest lacks ${name}`);
    const file = `/${part.file}`;
    if (found.has(file)) return;
    if (file.endsWith('.js') && !shell.includes(`"${file}"`)) found.add(file);
    for (const needed of part.imports ?? []) walk(needed);
  };
  walk(key);
  return [...found];
}

/** The generated module that stands for a page or layout. */
function nodeOf(source) {
  const file = readdirSync(NODES).find((name) => readFileSync(join(NODES, name), 'utf8').includes(`/src/routes/${source}"`));
  if (!file) throw new Error(`no page is made from ${source}`);
  return `${NODES}/${file}`;
}

export function finishShell(folder) {
  const manifest = JSON.parse(readFileSync(join(CLIENT, '.vite/manifest.json'), 'utf8'));
  const path = join(folder, 'index.html');
  const shell = readFileSync(path, 'utf8');
  const boot = readFileSync(join(folder, 'boot.js'), 'utf8');
  const of = (key) => files(manifest, key, shell);
  const parts = {
    languages: { en: of('src/lib/i18n/en/first.ts'), de: of('src/lib/i18n/de/first.ts') },
    app: of(nodeOf('(app)/+layout.svelte')),
    servers: of(nodeOf('(app)/servers/+page.svelte'))
  };
  if (!shell.includes(TAG) || !boot.includes(NOTHING)) throw new Error('the shell has no place for the boot script');
  // Comments and indents are for those who read the source.
  const script = boot
    .replace(/\/\*[^]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(/^\s+/gm, '')
    .replace(NOTHING, () => JSON.stringify(parts));
  writeFileSync(path, shell.replace(TAG, () => `<script>${script}</script>`));
}
