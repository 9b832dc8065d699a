/** The file manager's texts: a file of their own beside the language's, since the other pages do not need them. */
import { i18n } from '../i18n/i18n.svelte';
import type { Language } from '../i18n/language';
import type { files as English } from '../i18n/en/files';

type Texts = typeof English;
const LOADERS: Record<Language, () => Promise<{ files: Texts }>> = {
  en: () => import('../i18n/en/files'),
  de: () => import('../i18n/de/files')
};

let current = $state.raw<Texts | null>(null);
let language: Language | null = null;

/** In the language of the page; done at once when they are there. */
export async function loadTexts() {
  const wanted = i18n.language;
  if (language === wanted) return;
  current = (await LOADERS[wanted]()).files;
  language = wanted;
}

/** As `t` for the rest of the page. */
export const f = new Proxy({} as Texts, {
  get(_target, part: string) {
    if (!current) throw new Error('a text of the file manager was wanted before it was loaded');
    return current[part as keyof Texts];
  }
});
