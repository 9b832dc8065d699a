import { sveltekit } from '@sveltejs/kit/vite';
import { mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const panel = process.env.PANEL ?? 'http://127.0.0.1:3000';

/** Writes down whose packages went into the page: packaging/sbom.mjs tells their licences. */
function bundledPackages(): Plugin {
  return {
    name: 'bundled-packages',
    generateBundle(_options, bundle) {
      if (this.environment.name !== 'client') return;
      const styles = [...this.getModuleIds()].filter((id) => /\.css(\?|$)/.test(id));
      const scripts = Object.values(bundle).flatMap((part) => (part.type === 'chunk' ? part.moduleIds : []));
      const packages = [...scripts, ...styles]
        .map((id) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1])
        .filter((name) => name !== undefined);
      if (process.env.DUMP) writeFileSync(process.env.DUMP, JSON.stringify(Object.values(bundle).flatMap((part) => part.type === 'chunk' ? Object.entries(part.modules).map(([id, m]) => [part.name, id, m.renderedLength]) : [])));
      mkdirSync('.svelte-kit', { recursive: true });
      writeFileSync('.svelte-kit/bundled.json', JSON.stringify([...new Set(packages)].sort()));
    }
  };
}

/** What dialogs and menus are made of: nobody needs it before he opens one. */
const MENUS = /node_modules\/(bits-ui|@floating-ui|svelte-toolbelt|runed|tabbable|style-to-object|inline-style-parser|@internationalized)\/|src\/lib\/ui\/(Modal|Confirm)\.svelte/;

/** Where the list of servers begins, which is the page that everybody comes to. */
const FIRST = [
  'src/routes/+layout.svelte',
  'src/routes/+layout.ts',
  'src/routes/(app)/+layout.svelte',
  'src/routes/(app)/+layout.ts',
  'src/routes/(app)/servers/+page.svelte',
  'src/routes/(app)/servers/+page.ts',
  'src/lib/i18n/counting.ts',
  'src/lib/i18n/en/numbers.ts',
  'src/lib/i18n/de/numbers.ts',
  'node_modules/@sveltejs/kit/src/runtime/client/entry.js'
];

type Graph = { getModuleInfo: (id: string) => { importedIds: readonly string[] } | null };

/** A module with all that it needs before it can run. */
function needed(graph: Graph, roots: string[]): Set<string> {
  const found = new Set<string>();
  const next = [...roots];
  for (let id = next.pop(); id !== undefined; id = next.pop()) {
    const known = found.has(id) ? null : graph.getModuleInfo(id);
    if (!known) continue;
    found.add(id);
    next.push(...known.importedIds);
  }
  return found;
}

/** The names of the icons that these sources import. */
function icons(of: (path: string) => boolean): Set<string> {
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((path) => /\.(svelte|ts)$/.test(path) && of(path));
  const lists = sources.flatMap((path) => [...readFileSync(join('src', path), 'utf8').matchAll(/import \{([^}]+)\} from '@lucide\/svelte'/g)].map(([, names]) => names ?? ''));
  const kebab = (name: string) => name.trim().replace(/(?<=[a-z])(?=[A-Z0-9])/g, '-').toLowerCase();
  return new Set(lists.flatMap((list) => list.split(',').map(kebab)));
}

/** Icons that only the file manager draws. The package's index names all icons, so that they would come with the list of servers. */
const isFiles = (path: string) => /(lib|\[id\])\/files\//.test(path);
const ELSEWHERE = icons((path) => !isFiles(path));
const FILES_ICONS = new Set([...icons(isFiles)].filter((name) => !ELSEWHERE.has(name)));

const isFilesIcon = (id: string) => FILES_ICONS.has(/lucide\/svelte\/dist\/icons\/([^/]+)\.svelte$/.exec(id)?.[1] ?? '');

let first: Set<string> | null = null;
/**
 * Few files: the list of servers is one, menus and dialogs are another, what several other pages need is the third; each page
 * and each language has its own. By itself the bundler makes some 60, most of them below 1 kB, and each is a request.
 */
const groups = [
  { name: (id: string, graph: Graph) => ((first ??= needed(graph, FIRST.map((path) => realpathSync(path)))).has(id) && !isFilesIcon(id) ? 'core' : null), priority: 3 },
  { name: 'menus', test: MENUS, minShareCount: 2, priority: 2 },
  // What only the pages of a server's files share.
  { name: 'editor', test: /node_modules\/(@codemirror\/(?!lang-|legacy)|@lezer\/(common|lr|highlight)\/|@marijn|style-mod|crelt|w3c-keyname)/, minShareCount: 2, priority: 1.6 },
  { name: 'files', test: (id: string) => /src\/lib\/(files|api)\//.test(id) || isFilesIcon(id), minShareCount: 2, priority: 1.5 },
  { name: 'shared', minShareCount: 2, priority: 1 }
];

export default defineConfig({
  plugins: [sveltekit(), bundledPackages()],
  // Assets stay files: the page's CSP allows data: for images only.
  build: { assetsInlineLimit: 0, rolldownOptions: { output: { codeSplitting: { groups } } } },
  server: {
    proxy: { '/api': { target: panel, ws: true }, '/health': panel }
  },
  test: { include: ['src/**/*.test.ts'], setupFiles: ['src/lib/i18n/setup.ts'] }
});
