import { sveltekit } from '@sveltejs/kit/vite';
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
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

/**
 * What the framework brings and this page never uses: there is no server of its own whose data would have to be packed, and no
 * custom element. Each says so, should it be called after all.
 */
const UNUSED: [RegExp, string[]][] = [
  [/node_modules\/devalue\/index\.js$/, ['parse', 'unflatten', 'stringify', 'stringifyAsync', 'uneval']],
  [/node_modules\/svelte\/src\/internal\/client\/dom\/elements\/custom-element\.js$/, ['create_custom_element']]
];
const withoutUnused: Plugin = {
  name: 'without-unused',
  enforce: 'pre',
  load(id) {
    if (this.environment.name !== 'client' || this.environment.mode !== 'build') return null;
    const names = UNUSED.find(([file]) => file.test(id))?.[1];
    return names ? names.map((name) => `export const ${name} = () => { throw new Error('${name} was left out'); };`).join('\n') : null;
  }
};

const RUNTIME = /node_modules\/(svelte|clsx|esm-env)\/|^\0rolldown/;
const REACTIVITY = /node_modules\/svelte\/src\/reactivity\//;

/**
 * The runtime stands in the shell (shell.js), and its file gives others what it exports, once: nothing of it may change later,
 * as exports of a module may. Two do, from nothing to what they are from then on.
 */
const runtimeThatStays: Plugin = {
  name: 'runtime-that-stays',
  enforce: 'pre',
  transform(code, id) {
    if (!id.endsWith('/svelte/src/internal/client/dom/operations.js') || this.environment.name !== 'client') return null;
    const known = code
      .replace('export var $window;', 'export var $window = globalThis.window;')
      .replace('export var $document;', 'export var $document = globalThis.document;')
      .replace('if ($window !== undefined) {', 'if (first_child_getter !== undefined) {');
    return { code: known, map: null };
  },
  renderChunk(code, chunk) {
    if (chunk.name !== 'runtime') return null;
    const exported = new Set(/export \{([^}]*)\};?\s*$/.exec(code)?.[1]?.split(',').map((one) => one.trim().split(/\s+as\s+/)[0] ?? ''));
    if (exported.size === 0) this.error('the runtime exports nothing');
    const variables = new Set([...code.matchAll(/^(?:var|let) ([$\w]+)/gm)].map(([, name]) => name));
    for (const [, name = '', value] of code.matchAll(/^\s+(?:[$\w]+ = )*([$\w]+) (?:[-+|&]?=)(?!=) ?(.*)$/gm)) {
      if (exported.has(name) && variables.has(name) && !/^(window|document);$/.test(value ?? '')) this.error(`the runtime's ${name} changes later: ${value}`);
    }
    return null;
  }
};

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

/**
 * Each icon is imported from its own file: by the library's index every page would depend on the icons of all others, and the
 * list of servers would bring them.
 */
const singleIcons: Plugin = {
  name: 'single-icons',
  enforce: 'pre',
  transform(code, id) {
    if (!/\/src\/.*\.(svelte|ts)$/.test(id) || !code.includes("'@lucide/svelte'")) return null;
    const kebab = (name: string) => name.replace(/(?<=[a-z])(?=[A-Z0-9])/g, '-').toLowerCase();
    const one = (entry: string) => {
      const [name = '', alias = name] = entry.split(/\s+as\s+/);
      return `import ${alias} from '@lucide/svelte/icons/${kebab(name)}';`;
    };
    // All on one line, so that line numbers stay.
    const imports = (names: string) => names.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '').map(one).join(' ');
    return { code: code.replace(/import \{([^}]+)\} from '@lucide\/svelte';/g, (_, names: string) => imports(names)), map: null };
  }
};

let first: Set<string> | null = null;
const isFirst = (id: string, graph: Graph) => (first ??= needed(graph, FIRST.map((path) => realpathSync(path)))).has(id);
/**
 * Few files: the list of servers is one, menus and dialogs are another, what several other pages need is the third; each page
 * and each language has its own. By itself the bundler makes some 60, most of them below 1 kB, and each is a request.
 */
const groups = [
  { name: (id: string, graph: Graph) => (RUNTIME.test(id) && (REACTIVITY.test(id) || isFirst(id, graph)) ? 'runtime' : null), priority: 4 },
  { name: (id: string, graph: Graph) => (isFirst(id, graph) ? 'core' : null), priority: 3 },
  { name: 'menus', test: MENUS, minShareCount: 2, priority: 2 },
  // What only the pages of a server's files share.
  { name: 'editor', test: /node_modules\/(@codemirror\/(?!lang-|legacy)|@lezer\/(common|lr|highlight)\/|@marijn|style-mod|crelt|w3c-keyname)/, minShareCount: 2, priority: 1.6 },
  { name: 'files', test: /src\/lib\/(files|api\/(files|tus|send|backups))/, minShareCount: 2, priority: 1.5 },
  { name: 'shared', minShareCount: 2, priority: 1 }
];

export default defineConfig({
  plugins: [singleIcons, withoutUnused, runtimeThatStays, sveltekit(), bundledPackages()],
  // Assets stay files: the page's CSP allows data: for images only.
  build: { assetsInlineLimit: 0, rolldownOptions: { output: { codeSplitting: { groups } } } },
  server: {
    proxy: { '/api': { target: panel, ws: true }, '/health': panel }
  },
  test: { include: ['src/**/*.test.ts'], setupFiles: ['src/lib/i18n/setup.ts'] }
});
