/** The calls of the HTTP API, generated from `openapi.json` (`npm run schema`, which `check` and `lint` run first). */
export type { paths } from '../../generated/schema';
