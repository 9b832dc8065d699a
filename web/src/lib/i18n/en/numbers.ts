import { counting } from '../counting';

export const { n, number } = counting('en');
