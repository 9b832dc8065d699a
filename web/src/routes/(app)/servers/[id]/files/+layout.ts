import { loadTexts } from '$lib/files/texts.svelte';

/** The texts of these pages are loaded with them. */
export const load = async ({ parent }) => {
  await parent();
  await loadTexts();
};
