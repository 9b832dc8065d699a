/** The panel's rule for a command, said before the panel has to: one line of 1 to 4,000 bytes, no control characters. */
export function commandProblem(command: string): string | null {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f]/.test(command)) return 'A command is one line without control characters.';
  if (new TextEncoder().encode(command).length > 4000) return 'A command is at most 4,000 bytes long.';
  return null;
}
