import { redirect } from '@sveltejs/kit';
import { setup } from '$lib/api';

export const load = async () => {
  const { needed, address } = await setup.needed().catch(() => ({ needed: true, address: undefined }));
  if (!needed) redirect(307, '/servers');
  return { address };
};
