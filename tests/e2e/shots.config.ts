import base from './playwright.config.ts';

/** `npm run shots`: pictures of every page in both sizes and themes, below `shots/`, to be looked at by people. */
export default { ...base, testMatch: 'shots.pictures.ts', retries: 0, workers: 1, timeout: 600_000 };
