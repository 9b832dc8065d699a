import { sessionKey } from '$lib/account/keys';
import { servers } from '$lib/servers/servers.svelte';

/** The first drawing has the list in it; what goes wrong is shown by the page. */
export const load = async () => {
  if (!servers.loaded && sessionKey()) await servers.load();
};
