/** Counted things and numbers inside of a language's texts. */
export function counting(language: string) {
  // Making one is slow, and only one language is spoken at a time.
  let rules: Intl.PluralRules | undefined;
  let numbers: Intl.NumberFormat | undefined;
  const number = (value: number): string => (numbers ??= new Intl.NumberFormat(language)).format(value);
  return {
    /** The form for this count, with the count in place of `#`. */
    n: (count: number, one: string, other: string): string => ((rules ??= new Intl.PluralRules(language)).select(count) === 'one' ? one : other).replace('#', number(count)),
    number
  };
}
