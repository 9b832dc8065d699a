/**
 * Favourites and tags: one's own, by account, kept in this browser. The panel has no place for what a single person
 * thinks of a server.
 */
import { session } from '../account/session.svelte';
import { read, write } from '../storage';
import { natural, type Marked } from './filter';

interface Stored {
  favourites: string[];
  tags: Record<string, string[]>;
}

/** Letters of a tag, and tags of a server. */
const LONGEST = 32;
const MOST = 12;

/** Whatever stands in the storage: others may have written it. */
export function parse(text: string | null): Stored {
  const stored: Stored = { favourites: [], tags: {} };
  if (text === null) return stored;
  try {
    const found = JSON.parse(text) as Partial<Record<keyof Stored, unknown>>;
    if (Array.isArray(found.favourites)) stored.favourites = found.favourites.filter((id) => typeof id === 'string');
    for (const [id, tags] of Object.entries((found.tags ?? {}) as Record<string, unknown>)) {
      if (Array.isArray(tags)) stored.tags[id] = tags.filter((tag) => typeof tag === 'string').slice(0, MOST);
    }
  } catch {
    // Nothing of it can be read.
  }
  return stored;
}

class Labels implements Marked {
  #changes = $state(0);
  #key = $derived(`servers.labels:${session.me?.id ?? ''}`);
  #stored = $derived.by(() => {
    void this.#changes;
    return parse(read(this.#key));
  });
  #favourites = $derived(new Set(this.#stored.favourites));
  /** All tags that are in use. */
  all = $derived([...new Set(Object.values(this.#stored.tags).flat())].sort(natural.compare));

  isFavourite = (id: string) => this.#favourites.has(id);
  tags = (id: string): readonly string[] => this.#stored.tags[id] ?? [];

  toggle(id: string) {
    const favourites = this.isFavourite(id) ? this.#stored.favourites.filter((one) => one !== id) : [...this.#stored.favourites, id];
    this.#keep({ ...this.#stored, favourites });
  }

  tag(ids: string[], tag: string) {
    const name = tag.trim().slice(0, LONGEST);
    if (name === '') return;
    const changed = ids.map((id) => [id, [...new Set([...this.tags(id), name])].slice(0, MOST)] as const);
    this.#keep({ ...this.#stored, tags: { ...this.#stored.tags, ...Object.fromEntries(changed) } });
  }

  untag(ids: string[], tag: string) {
    const tags = { ...this.#stored.tags };
    for (const id of ids) {
      const left = this.tags(id).filter((one) => one !== tag);
      if (left.length > 0) tags[id] = left;
      else delete tags[id];
    }
    this.#keep({ ...this.#stored, tags });
  }

  #keep(stored: Stored) {
    write(this.#key, JSON.stringify(stored));
    this.#changes += 1;
  }
}

export const labels = new Labels();
