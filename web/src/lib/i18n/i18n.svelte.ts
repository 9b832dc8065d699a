/** The page's texts in the chosen language. One language is loaded at a time, as a file of its own. */
import { read, write } from '../storage';
import type { Texts } from './en';
import { languageFor, localeFor, type Language } from './language';

const LOADERS: Record<Language, () => Promise<{ texts: Texts }>> = {
  en: () => import('./en'),
  de: () => import('./de')
};

const KEY = 'language';
const preferred = (): readonly string[] => globalThis.navigator?.languages ?? [];

let current = $state.raw<Texts | null>(null);
let language = $state<Language>('en');
let locale = $state('en');

export const i18n = {
  get language() {
    return language;
  },

  /** For `Intl`: dates and numbers. */
  get locale() {
    return locale;
  },

  /** Loads the language that this browser wants; done at once when it is there. */
  async load(wanted: Language = languageFor(read(KEY), preferred())) {
    if (current && language === wanted) return;
    const { texts } = await LOADERS[wanted]();
    current = texts;
    language = wanted;
    locale = localeFor(wanted, preferred());
    if (typeof document !== 'undefined') document.documentElement.lang = wanted;
  },

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
    return current[part as keyof Texts];
  }
});
