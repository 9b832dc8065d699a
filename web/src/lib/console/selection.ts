/**
 * What is selected in the console, which may be far more than is drawn: the rows in which the selection begins and ends
 * are kept in the page, and what is copied comes from the buffer, without times.
 */
export interface Point {
  id: number;
  /** Characters of the row's text before it. */
  offset: number;
}

/** From the earlier point to the later; null where nothing within the console is selected. */
export function selected(host: HTMLElement): { from: Point; to: Point } | null {
  const selection = getSelection();
  if (!selection || selection.isCollapsed || selection.rangeCount === 0) return null;
  const range = selection.getRangeAt(0);
  if (!host.contains(range.startContainer) || !host.contains(range.endContainer)) return null;
  const from = point(host, range.startContainer, range.startOffset);
  const to = point(host, range.endContainer, range.endOffset);
  return from && to ? { from, to } : null;
}

function point(host: HTMLElement, node: Node, offset: number): Point | null {
  const row = rowOf(host, node, offset);
  if (!row) return null;
  const id = Number(row.dataset.row);
  const text = row.querySelector('.text');
  if (!text || !row.contains(node)) return { id, offset: 0 };
  const before = document.createRange();
  before.selectNodeContents(text);
  // Before the text, in it, or behind it.
  const place = before.comparePoint(node, offset);
  if (place < 0) return { id, offset: 0 };
  if (place === 0) before.setEnd(node, offset);
  return { id, offset: before.toString().length };
}

function rowOf(host: HTMLElement, node: Node, offset: number): HTMLElement | null {
  const element = node instanceof Element ? node : node.parentElement;
  const row = element?.closest<HTMLElement>('[data-row]');
  if (row) return row;
  // Between two rows: the one behind, or the last.
  const rows = [...host.querySelectorAll<HTMLElement>('[data-row]')];
  return rows.find((one) => (node === one.parentElement ? [...node.childNodes].indexOf(one) >= offset : Boolean(node.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING))) ?? rows.at(-1) ?? null;
}
