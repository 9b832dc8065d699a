/** What a key does in the list of files. */

type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey'>;
type Does = { does: string; type?: undefined } | { does: ''; type: string };

const PLAIN: Record<string, string> = {
  ArrowUp: 'up', ArrowDown: 'down', PageUp: 'pageUp', PageDown: 'pageDown', Home: 'home', End: 'end',
  ' ': 'toggle', Enter: 'open', Backspace: 'parent', F2: 'rename', Delete: 'delete', Escape: 'none', ContextMenu: 'menu'
};
const WITH_CTRL: Record<string, string> = { a: 'all', c: 'clip', x: 'cut', v: 'paste' };

/** Null for keys that are the browser's; letters go into the filter. */
export function keyOf(event: Pressed): Does | null {
  const ctrl = event.ctrlKey || event.metaKey;
  if (event.altKey) return event.key === 'ArrowUp' ? { does: 'parent' } : null;
  if (event.shiftKey && event.key === 'F10') return { does: 'menu' };
  if (event.shiftKey && event.key === 'Delete') return { does: 'deleteForever' };
  const letter = ctrl ? WITH_CTRL[event.key.toLowerCase()] : undefined;
  if (letter) return { does: letter };
  const plain = PLAIN[event.key];
  if (plain) return { does: plain };
  return !ctrl && event.key.length === 1 ? { does: '', type: event.key } : null;
}
