/** Counted things and numbers inside of a language's texts. */
export function counting(language: string) {
  const rules = new Intl.PluralRules(language);
  const numbers = new Intl.NumberFormat(language);
  return {
    /** The form for this count, with the count in place of `#`. */
    n: (count: number, one: string, other: string): string => (rules.select(count) === 'one' ? one : other).replace('#', numbers.format(count)),
    number: (value: number): string => numbers.format(value)
  };
}
