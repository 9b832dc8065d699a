/** An attachment: calls `act` each time that the end of a list comes near, until it is no longer there. */
export const nearing = (act: () => void) => (end: HTMLElement) => {
  const seen = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      act();
      // Asked again, in case it is near still.
      seen.unobserve(end);
      requestAnimationFrame(() => seen.observe(end));
    },
    { rootMargin: '800px' }
  );
  seen.observe(end);
  return () => seen.disconnect();
};
