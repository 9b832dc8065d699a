/**
 * Sentences of the panel and its agents that hold values, as their sources have them (`src/`, `agent/src/`), with `{1}`, `{2}` …
 * in the place of the values. In English they are shown as they come, so nothing stands here; other languages have one for each.
 * What is missing is shown in English.
 */
export const sentences: Record<string, string> = {};
