import { loadTexts } from '$lib/files/texts.svelte';

/** The texts of lists of files are loaded with the pages that have one. */
export const load = async ({ parent }) => {
  await parent();
  await loadTexts();
};
