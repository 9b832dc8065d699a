/** The pictures of templates. The panel gives them to whoever is signed in, so they come by a call, and not by an `<img>` alone. */
import { templates as templatesApi } from '../api/templates';

/** What a browser keeps of them; the oldest goes first. */
const MOST = 300;
const known = new Map<string, Promise<string>>();

const addressOf = (picture: Blob): Promise<string> =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error('unreadable'));
    reader.readAsDataURL(picture);
  });

/** The address of a template's picture, for an `<img>`. */
export function iconOf(id: string): Promise<string> {
  const there = known.get(id);
  if (there) return there;
  const asked = templatesApi.icon(id).then(addressOf);
  known.set(id, asked);
  asked.catch(() => known.delete(id));
  const oldest = known.size > MOST ? known.keys().next().value : undefined;
  if (oldest !== undefined) known.delete(oldest);
  return asked;
}

/** It was changed: the next one who wants it asks anew. */
export const forgetIcon = (id: string) => known.delete(id);
