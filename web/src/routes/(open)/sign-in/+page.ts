import { redirect } from '@sveltejs/kit';
import { setup } from '$lib/api';

/** While there is no account nobody can sign in: the first page is setup then. */
export const load = async () => {
  const { needed } = await setup.needed().catch(() => ({ needed: false }));
  if (needed) redirect(307, '/setup');
};
