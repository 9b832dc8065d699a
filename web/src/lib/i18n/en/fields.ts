/** What the panel says of a field, as sentences. It says them as "limits.memory must be at least 16777216". */
export const fields = {
  required: (label: string) => `${label} is required.`,
  taken: 'That name is already taken.',
  twice: 'Listed twice.',
  atLeast: (least: string) => `At least ${least}.`,
  atMost: (most: string) => `At most ${most}.`,
  between: (least: string, most: string) => `Between ${least} and ${most}.`,
  oneOf: (choices: string) => `One of: ${choices}.`,
  wholeNumber: 'Enter a whole number.',
  number: 'Enter a number.',
  image: 'Enter an image reference, such as docker.io/library/busybox:1.37.',
  characters: (count: string) => `${count} characters`,
  unknownNode: 'This node does not exist.',
  other: (label: string, what: string) => `${label} ${what}.`,
  check: 'Check the marked fields.'
};
