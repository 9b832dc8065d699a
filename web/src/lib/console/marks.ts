/** Marks what was searched for in the rows that are drawn, and the text in them where the browser can. */
const NAME = 'console-search';

export function mark(rows: Iterable<HTMLElement>, wanted: RegExp | null, current: number | null) {
  const ranges: Range[] = [];
  for (const row of rows) {
    const body = row.querySelector('.text');
    const hit = wanted !== null && body !== null && wanted.test(body.textContent);
    row.classList.toggle('hit', hit);
    row.classList.toggle('current', hit && row.dataset.row === String(current));
    if (hit) ranges.push(...rangesIn(body, wanted));
  }
  if (typeof Highlight === 'undefined') return;
  if (ranges.length > 0) CSS.highlights.set(NAME, new Highlight(...ranges));
  else CSS.highlights.delete(NAME);
}

function rangesIn(body: Element, wanted: RegExp): Range[] {
  const nodes: Text[] = [];
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) nodes.push(walker.currentNode as Text);
  const ranges: Range[] = [];
  for (const match of body.textContent.matchAll(new RegExp(wanted.source, `${wanted.flags}g`))) {
    const start = locate(nodes, match.index);
    const end = locate(nodes, match.index + match[0].length, true);
    if (!start || !end || ranges.length > 200) break;
    const range = document.createRange();
    range.setStart(...start);
    range.setEnd(...end);
    ranges.push(range);
  }
  return ranges;
}

function locate(nodes: Text[], offset: number, end = false): [Text, number] | null {
  let left = offset;
  for (const node of nodes) {
    if (left < node.length || (end && left === node.length)) return [node, left];
    left -= node.length;
  }
  return null;
}
