/**
 * The page's halves of what a sign-in gives. Cookies go to every port of a host, so also to a game's web page; what lies in
 * this storage does not. The panel takes neither half without the other.
 */
import { read, write } from '../storage';

const SESSION = 'session-key';
const DEVICE = 'device-key';

/** Where storage is closed to us, the sign-in lasts as long as this page. */
let unstored: string | null = null;

export const sessionKey = (): string | null => read(SESSION) ?? unstored;

export function setSessionKey(key: string) {
  write(SESSION, key);
  unstored = read(SESSION) === key ? null : key;
}

/** Forgets this key, and not one that another tab has got since. */
export function forgetSessionKey(key: string) {
  if (unstored === key) unstored = null;
  if (read(SESSION) === key) write(SESSION, null);
}

export const deviceKey = (): string | null => read(DEVICE);
export const setDeviceKey = (key: string) => write(DEVICE, key);
