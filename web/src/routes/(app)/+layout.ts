import { error, redirect } from '@sveltejs/kit';
import { sessionKey } from '$lib/account/keys';
import { setup } from '$lib/api';
import { asError } from '$lib/errors';
import { session } from '$lib/account/session.svelte';

/** Pages below are for signed-in people: others go to sign-in, or to setup while there is no account. */
export const load = async ({ url }) => {
  // A browser that was not signed in before needs no explanation.
  const wasSignedIn = sessionKey() !== null;
  try {
    return { me: await session.load() };
  } catch (thrown) {
    const failure = asError(thrown);
    if (failure.code !== 'unauthenticated') error(failure.status || 503, failure.message);
    session.why = wasSignedIn ? failure.message : '';
  }
  const { needed } = await setup.needed().catch(() => ({ needed: false }));
  redirect(307, needed ? '/setup' : `/sign-in?next=${encodeURIComponent(url.pathname + url.search)}`);
};
