import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

export default ts.config(
  { ignores: ['build/', '.svelte-kit/', 'node_modules/', 'generated/'] },
  js.configs.recommended,
  ...ts.configs.recommended,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser, ...globals.node } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig } }
  },
  {
    rules: {
      // TypeScript finds these better.
      'no-undef': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'max-lines': ['error', { max: 300 }],
      'svelte/no-at-html-tags': 'error',
      // The page is served from the root only, so links need no resolve().
      'svelte/no-navigation-without-resolve': 'off',
      'no-restricted-globals': [
        'error',
        { name: 'fetch', message: 'lib/api.ts is the only fetch.' },
        { name: 'WebSocket', message: 'lib/live is the only WebSocket.' }
      ],
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Text from outside is set by textContent.' },
        { property: 'outerHTML', message: 'Text from outside is set by textContent.' },
        { property: 'insertAdjacentHTML', message: 'Text from outside is set by textContent.' }
      ]
    }
  }
);
