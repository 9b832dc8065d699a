/**
 * The console over all of the page, and where the browser can, the page over all of the screen. Not the console's own
 * element, whose dialogs would lie below it.
 */
export function cover(element: HTMLElement, left: () => void): () => void {
  const beside: Element[] = [];
  // What is covered takes no focus. Dialogs and messages stand at the body's end and stay.
  for (let inner: Element = element; inner.parentElement && inner.parentElement !== document.body; inner = inner.parentElement) {
    for (const one of inner.parentElement.children) {
      if (one === inner || one.hasAttribute('inert') || one.matches('script,style')) continue;
      one.setAttribute('inert', '');
      beside.push(one);
    }
  }
  const changed = () => {
    if (!document.fullscreenElement) left();
  };
  const escape = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && !event.defaultPrevented && !document.fullscreenElement && !document.querySelector('[role=dialog], [role=search]')) left();
  };
  document.addEventListener('keydown', escape);
  // Refused or not there (iPhones): the page is covered, which is most of it.
  document.documentElement.requestFullscreen?.().then(
    () => document.addEventListener('fullscreenchange', changed),
    () => {}
  );
  return () => {
    document.removeEventListener('keydown', escape);
    document.removeEventListener('fullscreenchange', changed);
    for (const one of beside) one.removeAttribute('inert');
    if (document.fullscreenElement) void document.exitFullscreen().catch(() => {});
  };
}
