/** A page whose code or data did not come is loaded again as soon as the panel answers. */
import * as api from '../api';

const EVERY = 2_000;
/** A page that fails although the panel answers is not loaded again for ever. */
const MOST = 3;
const WITHIN = 60_000;
const KEY = 'reloads';

/** Whether it may be loaded once more by itself; remembers that it was. Pure but for the storage it is given. */
export function mayReload(storage: Pick<Storage, 'getItem' | 'setItem'>, now: number): boolean {
  let recent: number[] = [];
  try {
    const parsed: unknown = JSON.parse(storage.getItem(KEY) ?? '[]');
    if (Array.isArray(parsed)) recent = parsed.filter((time): time is number => typeof time === 'number' && now - time < WITHIN);
    if (recent.length >= MOST) return false;
    storage.setItem(KEY, JSON.stringify([...recent, now]));
  } catch {
    // Without a storage nobody would stop it.
    return false;
  }
  return true;
}

/** Asks until the panel answers, then loads the page again. Returns how to stop. */
export function reloadWhenBack(): () => void {
  let stopped = false;
  const timer = setInterval(() => void check(), EVERY);
  async function check() {
    try {
      await api.setup.needed();
    } catch {
      return;
    }
    if (stopped) return;
    stop();
    if (mayReload(sessionStorage, Date.now())) location.reload();
  }
  function stop() {
    stopped = true;
    clearInterval(timer);
  }
  return stop;
}
