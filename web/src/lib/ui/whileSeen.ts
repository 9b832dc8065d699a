import { untrack } from 'svelte';

/** Asks at once, then again every so many milliseconds and whenever the page comes back into sight, as long as it is seen. Gives what ends it. */
export function whileSeen(every: number, ask: () => unknown): () => void {
  const again = () => {
    if (document.visibilityState === 'visible') ask();
  };
  // An effect that asks does not ask again because of what the answer changes.
  untrack(ask);
  const timer = setInterval(again, every);
  document.addEventListener('visibilitychange', again);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', again);
  };
}
