import { error } from '@sveltejs/kit';
import { session } from '$lib/account/session.svelte';
import { t } from '$lib/i18n/i18n.svelte';

export const load = async ({ parent }) => {
  await parent();
  if (!session.admin) error(404, t.ui.noPage);
};
