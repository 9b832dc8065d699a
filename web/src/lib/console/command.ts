/** The panel's rule for a command, said before the panel has to: one line of 1 to 4,000 bytes, no control characters. */
import { t } from '../i18n/i18n.svelte';
export function commandProblem(command: string): string | null {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f]/.test(command)) return t.console.oneLine;
  if (new TextEncoder().encode(command).length > 4000) return t.console.tooLong;
  return null;
}
