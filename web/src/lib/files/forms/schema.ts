/** Forms over files that games are known for: which keys there are, what they are called and what they may be. */
import serverProperties from './server-properties.json';
import type { Language } from '../../i18n/language';

type Words = Record<Language, string>;

export interface FormField {
  key: string;
  group: string;
  type: 'boolean' | 'integer' | 'text' | 'choice';
  label: Words;
  help?: Words;
  min?: number;
  max?: number;
  choices?: { value: string; label: Words }[];
  secret?: boolean;
}

export interface FormSchema {
  /** The name of the file. */
  file: string;
  groups: { id: string; label: Words }[];
  fields: FormField[];
}

const FORMS = [serverProperties as FormSchema];

export const formFor = (name: string): FormSchema | null => FORMS.find((form) => form.file === name) ?? null;

export type ValueProblem = 'number' | 'range';

/** What is wrong with a value; what the game never had is left to the game. */
export function valueProblem(field: FormField, value: string): ValueProblem | null {
  if (field.type !== 'integer' || value === '') return null;
  if (!/^-?\d+$/.test(value.trim())) return 'number';
  const number = Number(value);
  return number < (field.min ?? -Infinity) || number > (field.max ?? Infinity) ? 'range' : null;
}

/** "minecraft\:normal" and "normal" are the same world type. */
export const sameChoice = (a: string, b: string): boolean => a.toLowerCase().replace(/^minecraft:/, '') === b.toLowerCase().replace(/^minecraft:/, '');
