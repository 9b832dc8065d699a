import { sveltekit } from '@sveltejs/kit/vite';
import { mkdirSync, writeFileSync } from 'node:fs';
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

export default defineConfig({
  plugins: [sveltekit(), bundledPackages()],
  // Assets stay files: the page's CSP allows data: for images only.
  build: { assetsInlineLimit: 0 },
  server: {
    proxy: { '/api': { target: panel, ws: true }, '/health': panel }
  },
  test: { include: ['src/**/*.test.ts'], setupFiles: ['src/lib/i18n/setup.ts'] }
});
