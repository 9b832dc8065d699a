import { error, redirect } from '@sveltejs/kit';
import { setup } from '$lib/api';
import { asError } from '$lib/errors';
import { session } from '$lib/account/session.svelte';

/** What the panel says to a browser that has no cookie of it: nothing to explain. */
const NEVER_SIGNED_IN = /^Sign in first/;

/** Pages below are for signed-in people: others go to sign-in, or to setup while there is no account. */
export const load = async ({ url }) => {
  try {
    return { me: await session.load() };
  } catch (thrown) {
    const failure = asError(thrown);
    if (failure.code !== 'unauthenticated') error(failure.status || 503, failure.message);
    session.why = NEVER_SIGNED_IN.test(failure.original) ? '' : failure.message;
  }
  const { needed } = await setup.needed().catch(() => ({ needed: false }));
  redirect(307, needed ? '/setup' : `/sign-in?next=${encodeURIComponent(url.pathname + url.search)}`);
};
