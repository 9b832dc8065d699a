/** All texts in English. They say which texts there are: other languages have the same keys. */
import { first } from './first';
import { later } from './later';

export const texts = { ...first, ...later };

export type Texts = typeof texts;
