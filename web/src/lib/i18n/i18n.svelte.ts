/**
 * The page's texts in the chosen language. One language is loaded at a time, in two files: what the list of servers needs, which
 * is the page that everybody comes to, and the rest.
 */
import { read, write } from '../storage';
import type { Texts } from './en';
import type { First } from './en/first';
import type { Later } from './en/later';
import { languageFor, localeFor, type Language } from './language';

const FIRST: Record<Language, () => Promise<{ first: First }>> = {
  en: () => import('./en/first'),
  de: () => import('./de/first')
};
const LATER: Record<Language, () => Promise<{ later: Later }>> = {
  en: () => import('./en/later'),
  de: () => import('./de/later')
};

const KEY = 'language';
const preferred = (): readonly string[] => globalThis.navigator?.languages ?? [];

const NONE: Record<string, string> = {};

let current = $state.raw<First | null>(null);
/** No state: it is complete before anything reads it, and changes only with `current`. */
let rest: { language: Language; texts: Later } | null = null;
let language = $state<Language>('en');
let locale = $state('en');

export const i18n = {
  get language() {
    return language;
  },

  /** See `sentences.ts`; none before the second file is there. */
  get sentences(): Record<string, string> {
    return current && rest?.language === language ? rest.texts.sentences : NONE;
  },

  /** For `Intl`: dates and numbers. */
  get locale() {
    return locale;
  },

  /** Loads the language that this browser wants; done at once when it is there. */
  async load(wanted: Language = i18n.wanted()) {
    if (rest?.language === wanted && language === wanted) return;
    const [{ later }] = await Promise.all([LATER[wanted](), FIRST[wanted]()]);
    rest = { language: wanted, texts: later };
    await i18n.loadFirst(wanted);
  },

  /** Loads what the list of servers needs of it, and of what stands around every page (`first.ts` of each language). */
  async loadFirst(wanted: Language = i18n.wanted()) {
    if (current && language === wanted) return;
    const { first } = await FIRST[wanted]();
    current = first;
    language = wanted;
    locale = localeFor(wanted, preferred());
    if (typeof document !== 'undefined') document.documentElement.lang = wanted;
  },

  wanted: (): Language => languageFor(read(KEY), preferred()),

  /** Changes it for this browser, from now on. */
  async choose(wanted: Language) {
    await i18n.load(wanted);
    write(KEY, wanted);
  }
};

/** Every text of the page: `t.servers.loading`, `t.servers.count(3)`. What reads it in an effect follows the language. */
export const t = new Proxy({} as Texts, {
  get(_target, part: string) {
    if (!current) throw new Error('a text was wanted before its language was loaded');
    const texts = current[part as keyof First] ?? rest?.texts[part as keyof Later];
    if (!texts) throw new Error(`the texts of ${part} were wanted before they were loaded`);
    return texts;
  }
});
