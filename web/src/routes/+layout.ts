import { i18n } from '$lib/i18n/i18n.svelte';

export const ssr = false;
export const prerender = false;

/** Pages that stand as soon as the first of the texts are there. */
const EARLY = ['/', '/(app)/servers'];

/** No page is drawn before its texts are there. */
export const load = ({ route }) => (EARLY.includes(route.id ?? '') ? i18n.loadFirst() : i18n.load());
