/** The finished shell: the boot script inside of it, told which files the page will need. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CLIENT = '.svelte-kit/output/client';
const NODES = '.svelte-kit/generated/client-optimized/nodes';
const TAG = '<script src="/boot.js"></script>';
const RUNTIME = '<!-- the runtime -->';
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

/**
 * The runtime of the framework goes into the shell: its bytes come while a slow line would have nothing to carry, as the other
 * scripts are asked for only when the shell's beginning is there. Its file stays, as the names that the others import.
 */
function inlined(folder, manifest) {
  const chunk = Object.values(manifest).find(({ name }) => name === 'runtime');
  if (!chunk) throw new Error('the build has no chunk of the runtime');
  const seen = [];
  const scripts = [];
  const add = (file) => {
    if (seen.includes(file)) return;
    seen.push(file);
    const source = readFileSync(join(folder, file), 'utf8').trim();
    let names = null;
    const body = source
      .replace(/import\{([^}]*)\}from"\.\/([^"]+)";/g, (_, list, needed) => {
        const other = `${file.slice(0, file.lastIndexOf('/'))}/${needed}`;
        add(other);
        return `var{${pairs(list).map(([imported, local]) => `${imported}:${local}`)}}=__parts["${other}"];`;
      })
      .replace(/export\{([^}]*)\};?$/, (_, list) => {
        names = pairs(list);
        return `__parts["${file}"]={${names.map(([local, exported]) => `${exported}:${local}`)}}`;
      });
    if (!names || /^(import|export)\b|[;}](import|export)[ {*"]/m.test(body)) throw new Error(`${file} cannot stand in the shell`);
    scripts.push(`(function(){"use strict";${body}})();`);
    writeFileSync(join(folder, file), `export const{${names.map(([, exported]) => exported)}}=window.__parts["${file}"];`);
  };
  add(chunk.file);
  const script = `window.__parts={};${scripts.join('')}`;
  if (/<\/script|<!--/i.test(script.replaceAll('<!---->', ''))) throw new Error('the runtime would end its own script');
  return script;
}

/** `a as b,c` as pairs of the name before `as` and the one behind it. */
const pairs = (list) => list.split(',').map((one) => one.trim().split(/\s+as\s+/)).map(([name, other = name]) => [name, other]);

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
  if (!shell.includes(RUNTIME)) throw new Error('the shell has no place for the runtime');
  const runtime = inlined(folder, manifest);
  writeFileSync(path, shell.replace(TAG, () => `<script>${script}</script>`).replace(RUNTIME, () => `<script>${runtime}</script>`));
}
