/**
 * What somebody has typed, carried over to what somebody else has saved meanwhile: field by field, by what both began with.
 * Pure, so that the rules can be tested.
 */

/** Fields by name; a field that is left out is not there. Values are what JSON can hold. */
export type Values = Record<string, unknown>;

/** One field to which both have given another value. */
export interface Clash {
  key: string;
  mine: unknown;
  theirs: unknown;
}

export const same = (one: unknown, other: unknown): boolean => one === other || JSON.stringify(one) === JSON.stringify(other);

/** The fields whose values are others than before; one that is gone is undefined. */
export function changes(before: Values, after: Values): Values {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return Object.fromEntries([...keys].filter((key) => !same(before[key], after[key])).map((key) => [key, after[key]]));
}

/** `before` with these fields changed; undefined takes one away. */
export function changed(before: Values, by: Values): Values {
  return Object.fromEntries(Object.entries({ ...before, ...by }).filter(([, value]) => value !== undefined));
}

/** What is mine upon theirs, where both began with `base`. Where both changed one field, mine stays, and is a clash. */
export function rebase(base: Values, mine: Values, theirs: Values): { mine: Values; clashes: Clash[] } {
  const own = changes(base, mine);
  const others = changes(base, theirs);
  const clashes = Object.keys(own)
    .filter((key) => key in others && !same(own[key], others[key]))
    .map((key) => ({ key, mine: own[key], theirs: others[key] }));
  return { mine: changed(theirs, own), clashes };
}
