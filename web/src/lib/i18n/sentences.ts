/** Sentences of the panel and its agents, which are English, in the page's language. */
import { i18n } from './i18n.svelte';

interface Rule {
  pattern: RegExp;
  text: string;
}

/** Longer ones are no sentences of ours. */
const LONGEST = 1_000;
/** A value may be a sentence again, such as the cause of a failure. */
const DEPTH = 3;

const compiled = new WeakMap<Record<string, string>, Rule[]>();

/** Those with values, the more particular ones first. */
function rulesOf(sentences: Record<string, string>): Rule[] {
  let rules = compiled.get(sentences);
  if (!rules) {
    const fixed = (text: string) => text.replace(/\{\d\}/g, '').length;
    const holes = Object.entries(sentences).filter(([english]) => english.includes('{1}'));
    holes.sort(([a], [b]) => fixed(b) - fixed(a));
    rules = holes.map(([english, text]) => ({ pattern: patternOf(english), text }));
    compiled.set(sentences, rules);
  }
  return rules;
}

function patternOf(english: string): RegExp {
  const parts = english.split(/\{\d\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('(.+?)')}$`, 's');
}

/** The sentence in the page's language; as it came where that has none. */
export function inOurWords(original: string, depth = DEPTH): string {
  const sentences = i18n.sentences;
  const whole = Object.hasOwn(sentences, original) ? sentences[original] : undefined;
  if (whole !== undefined) return whole;
  if (original.length > LONGEST || depth === 0) return original;
  for (const { pattern, text } of rulesOf(sentences)) {
    const values = pattern.exec(original);
    if (values) return text.replace(/\{(\d)\}/g, (_, at: string) => inOurWords(values[Number(at)] ?? '', depth - 1));
  }
  return original;
}
