/**
 * What a check-up finds, by its code (src/doctor/ has them). In English these are the panel's own words, so nothing stands here.
 * Other languages have a title for each code; a detail where it holds no values; and advice, with `{1}` in place of the first
 * command between backticks, one text for each number of commands. What is missing is shown in English.
 */
export interface FindingText {
  title: string;
  detail?: string;
  advice?: string[];
}

export const findings: Record<string, FindingText> = {};
