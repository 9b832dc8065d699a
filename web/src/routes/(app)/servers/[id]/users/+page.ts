import { error } from '@sveltejs/kit';
import { session } from '$lib/account/session.svelte';

export const load = async ({ parent }) => {
  await parent();
  if (!session.admin) error(404, 'There is no such page');
};
