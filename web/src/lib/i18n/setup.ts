/** Unit tests read the texts in English, with numbers and dates as they are written there. */
import { i18n } from './i18n.svelte';

Object.defineProperty(globalThis, 'navigator', { value: { languages: ['en-GB'], userAgent: '' }, configurable: true });
await i18n.load('en');
