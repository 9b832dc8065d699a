/** All texts in German. */
import type { Texts } from '../en';
import { first } from './first';
import { later } from './later';

export const texts: Texts = { ...first, ...later };
