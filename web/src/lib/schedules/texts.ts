import type { schedules } from '../i18n/en/schedules';

export type Texts = typeof schedules;
