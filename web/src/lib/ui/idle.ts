/** Safari has no idle callbacks: a while after the first paint is quiet enough. */
const LATER = 1500;

/** Does something once the browser has nothing else to do. Returns how to call it off. */
export function whenIdle(act: () => unknown): () => void {
  const timer = setTimeout(() => {
    if ('requestIdleCallback' in window) requestIdleCallback(() => void act());
    else void act();
  }, LATER);
  return () => clearTimeout(timer);
}
