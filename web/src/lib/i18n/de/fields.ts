import type { fields as English } from '../en/fields';

export const fields: typeof English = {
  required: (label) => `${label} ist erforderlich.`,
  taken: 'Dieser Name ist schon vergeben.',
  twice: 'Kommt zweimal vor.',
  atLeast: (least) => `Mindestens ${least}.`,
  atMost: (most) => `Höchstens ${most}.`,
  between: (least, most) => `Zwischen ${least} und ${most}.`,
  oneOf: (choices) => `Eines von: ${choices}.`,
  wholeNumber: 'Gib eine ganze Zahl ein.',
  number: 'Gib eine Zahl ein.',
  image: 'Gib einen Image-Namen ein, zum Beispiel docker.io/library/busybox:1.37.',
  characters: (count) => `${count} Zeichen`,
  unknownNode: 'Diese Node gibt es nicht.',
  other: (label, what) => `${label}: ${what}.`,
  check: 'Prüfe die markierten Felder.'
};
