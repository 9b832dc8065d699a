import { i18n } from '$lib/i18n/i18n.svelte';

export const ssr = false;
export const prerender = false;

/** No page is drawn before its language is there. */
export const load = () => i18n.load();
