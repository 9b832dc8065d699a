import { redirect } from '@sveltejs/kit';
import { setup } from '$lib/api';

export const load = async () => {
  const { needed } = await setup.needed().catch(() => ({ needed: true }));
  if (!needed) redirect(307, '/servers');
};
