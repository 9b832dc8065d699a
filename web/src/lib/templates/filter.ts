/** Which templates are shown. Pure. */
import type { TemplateSummary } from '../types';
import { gameText } from './words';

export interface TemplateFilter {
  text: string;
  /** Only what a known node's CPU runs. */
  runs: boolean;
  /** Bytes of memory at most, 0 for any. */
  memory: number;
  origin: '' | 'builtin' | 'added';
}

export const noFilter = (): TemplateFilter => ({ text: '', runs: false, memory: 0, origin: '' });

export const runsSomewhere = (template: Pick<TemplateSummary, 'runs'>): boolean => {
  const known = Object.values(template.runs);
  return known.length === 0 || known.some(Boolean);
};

/** In the order of the list; every word has to be somewhere. */
export function filtered(list: TemplateSummary[], filter: TemplateFilter): TemplateSummary[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return list.filter((template) => {
    if (filter.runs && !runsSomewhere(template)) return false;
    if (filter.memory > 0 && template.memory.recommended > filter.memory) return false;
    if (filter.origin !== '' && template.builtin !== (filter.origin === 'builtin')) return false;
    if (words.length === 0) return true;
    const about = `${template.name} ${template.id} ${template.tags.join(' ')} ${gameText(template.id, template.description)}`.toLowerCase();
    return words.every((word) => about.includes(word));
  });
}
