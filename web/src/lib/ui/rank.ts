/**
 * How well an entry of the palette fits what was typed: 0 for not at all. Every word must begin a word of the entry or
 * stand inside one. Going somewhere outranks doing something, so that a server's name and Enter never start or stop it.
 */
export function rank(value: string, search: string, keywords: string[] = []): number {
  const text = keywords.join(' ').toLowerCase();
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  let score = 1;
  for (const word of words) {
    const at = text.indexOf(word);
    if (at === -1) return 0;
    score *= at === 0 ? 1 : text.includes(` ${word}`) ? 0.95 : 0.8;
  }
  return value.startsWith('do ') ? score * 0.5 : score;
}
