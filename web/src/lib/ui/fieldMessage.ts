/** The panel's words about a field as a sentence for whoever filled it in. */
import { bytes } from '../format';
import { t } from '../i18n/i18n.svelte';

/** A limit in bytes, where the field is one of memory or disk. */
const amount = (value: string, key: string): string => (/^limits\.(memory|disk|swap)$/.test(key) && Number(value) > 1024 ? bytes(Number(value)) : value);

/** Whether the panel says that a value is not there. */
export const isMissing = (message: string): boolean => /^(is missing|is needed|must not be empty)$/.test(message);

/**
 * The panel says what is wrong as the rest of a sentence that begins with the field's key ("is missing"); our own checks
 * say whole sentences, which stay as they are.
 */
export function fieldMessage(message: string, label: string, key = ''): string {
  if (!/^\p{Ll}/u.test(message)) return message;
  if (isMissing(message)) return t.fields.required(label);
  if (/^is taken\b/.test(message)) return t.fields.taken;
  if (/^is there twice$/.test(message)) return t.fields.twice;
  if (/^is no node that is known here$/.test(message)) return t.fields.unknownNode;
  if (/^must be a whole number$/.test(message)) return t.fields.wholeNumber;
  if (/^must be a number$/.test(message)) return t.fields.number;
  if (/^must be an image reference/.test(message)) return t.fields.image;
  const limit = /^must (?:be|have) (?:0 for no limit, or )?at (least|most) (\d+)( characters)?/.exec(message);
  if (limit?.[2]) {
    const value = limit[3] ? t.fields.characters(limit[2]) : amount(limit[2], key);
    return limit[1] === 'least' ? t.fields.atLeast(value) : t.fields.atMost(value);
  }
  const range = /^must be (?:from|between) (-?\d+) (?:to|and) (\d+)/.exec(message);
  if (range?.[1] && range[2]) return t.fields.between(range[1], range[2]);
  const choices = /^must be one of:? (.+)$/.exec(message);
  if (choices?.[1]) return t.fields.oneOf(choices[1].split(',').join(', '));
  return t.fields.other(label, message.replace(/\.$/, ''));
}

/** A field's name where no label is at hand: `environment.MAX_PLAYERS` is "MAX_PLAYERS". */
export const fieldName = (key: string): string => key.split(/[.[\]]/).filter((part) => part !== '' && !/^\d+$/.test(part)).at(-1) ?? key;
