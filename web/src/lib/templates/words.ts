/** What the gallery's own games and their settings are called. Templates from elsewhere bring words of their own. */
import { t } from '../i18n/i18n.svelte';
import type { Variable } from '../types';

const ours = (templateId: string | null | undefined): templateId is string => templateId != null && Object.hasOwn(t.games.about, templateId);

export const gameText = (templateId: string, text: string): string => (ours(templateId) ? (t.games.about[templateId] ?? text) : text);

export interface VariableWords {
  label: string;
  hint: string;
  /** By value; what is not in it is called as it is. */
  choices: Record<string, string>;
}

export function variableWords(templateId: string | null | undefined, variable: Variable): VariableWords {
  const name = variable.env_variable;
  const known = ours(templateId) ? (t.games.variables[`${templateId}.${name}`] ?? t.games.variables[name]) : undefined;
  return known ? { choices: {}, ...known } : { label: variable.name, hint: variable.description.replaceAll('`', ''), choices: {} };
}
