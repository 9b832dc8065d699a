import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import adapter from '@sveltejs/adapter-static';
import { plainIcons } from './icons.js';
import { finishShell } from './shell.js';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** The version is made from the sources, not from the clock, so that the same sources give the same files. */
function version() {
  const hash = createHash('sha256').update(readFileSync('package-lock.json'));
  for (const name of readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()) {
    hash.update(name).update(readFileSync(name));
  }
  return hash.digest('hex').slice(0, 12);
}

const FOLDER = 'build';
const pages = adapter({ pages: FOLDER, fallback: 'index.html', strict: true });

/** @type {import('@sveltejs/kit').Config} */
export default {
  preprocess: [plainIcons, vitePreprocess()],
  compilerOptions: { runes: true },
  kit: {
    // Every path of the page is answered with the shell; the panel serves the .br and .gz beside each file.
    adapter: {
      ...pages,
      async adapt(builder) {
        await pages.adapt(builder);
        finishShell(FOLDER);
        await builder.compress(FOLDER);
      }
    },
    // The shell brings what the first paint needs.
    inlineStyleThreshold: 32 * 1024,
    version: { name: version() },
    // The same shell answers paths of every depth, so what it names is named from the root.
    paths: { relative: false }
  }
};
