import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';

const panel = process.env.PANEL ?? 'http://127.0.0.1:3000';

export default defineConfig({
  plugins: [sveltekit()],
  // Assets stay files: the page's CSP allows data: for images only.
  build: { assetsInlineLimit: 0 },
  server: {
    proxy: { '/api': { target: panel, ws: true }, '/health': panel }
  },
  test: { include: ['src/**/*.test.ts'] }
});
