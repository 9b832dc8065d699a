/** Addresses in a line. Only those of the web: nothing else may be opened from what a game prints. */
export interface Span {
  text: string;
  /** The address, when this part of the text is one. */
  href?: string;
}

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`{}|\\^]+/gi;

export function split(text: string): Span[] {
  if (!text.includes('://')) return [{ text }];
  const spans: Span[] = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const shown = trimmed(match[0]);
    const href = normal(shown);
    if (!href) continue;
    if (match.index > from) spans.push({ text: text.slice(from, match.index) });
    spans.push({ text: shown, href });
    from = match.index + shown.length;
  }
  if (from < text.length) spans.push({ text: text.slice(from) });
  return spans;
}

/** Without what ends the sentence around it. */
function trimmed(address: string): string {
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1] ?? '';
    const unopened = (open: string) => !address.slice(0, end).includes(open);
    if (/[.,;:!?*_~]/.test(last) || (last === ')' && unopened('(')) || (last === ']' && unopened('['))) continue;
    break;
  }
  return address.slice(0, end);
}

/** As the browser would ask for it: a name in foreign letters is shown in its other form (`xn--…`). */
function normal(address: string): string | null {
  try {
    const url = new URL(address);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}
