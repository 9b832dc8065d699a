/** One act for many servers: a few at a time, each with a result of its own. */
import { asError } from '../errors';
import type { PowerAction, Server } from '../types';
import { may } from './state';

/** Asked at once: a hundred starts together would only wait for each other at the engine. */
const AT_ONCE = 4;

export interface Result {
  id: string;
  name: string;
  state: 'waiting' | 'done' | 'failed' | 'skipped';
  /** Why it failed. */
  why?: string;
}

/** What can be asked of none of them is not offered. */
export const applicable = (list: Server[], action: PowerAction) => list.filter((server) => may(server, action));

export async function each(list: Server[], action: PowerAction, ask: (id: string, action: PowerAction) => Promise<void>, told: (results: Result[]) => void) {
  const results: Result[] = list.map((server) => ({ id: server.id, name: server.name, state: may(server, action) ? 'waiting' : 'skipped' }));
  const waiting = results.map((_, at) => at).filter((at) => results[at]?.state === 'waiting');
  const set = (at: number, part: Partial<Result>) => {
    const before = results[at];
    if (before) results[at] = { ...before, ...part };
    told([...results]);
  };
  told([...results]);
  const work = async () => {
    for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
      const id = results[at]?.id ?? '';
      try {
        await ask(id, action);
        set(at, { state: 'done' });
      } catch (cause) {
        const { message, hint } = asError(cause);
        set(at, { state: 'failed', why: `${message} ${hint}`.trim() });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}
