/** A form over something that others may change at the same time. */
import { tick, untrack } from 'svelte';
import { ApiError } from '../errors';
import { readTab, writeTab } from '../storage';
import { changed, changes, rebase, same, type Clash, type Values } from './rebase';

/** How often a change that came too late is tried again by itself. */
const TRIES = 3;

interface Form {
  /** What the form holds now, as fields. */
  read: () => Values;
  /** Puts these into the form. */
  write: (values: Values) => void;
  /** A field whose value is kept nowhere but in the form itself. */
  secret?: (key: string) => boolean;
}

/** What is kept in the tab: the fields that were changed, and what they were before. */
interface Draft {
  before: Values;
  after: Values;
}

export class Edit {
  #form: Form;
  #place: string | null = null;
  /** What the panel has, as far as is known. */
  #base = $state.raw<Values>({});
  #begun = $state(false);
  #revision = '';
  /** Fields that were changed here and elsewhere: nothing is saved before somebody has chosen. */
  clashes = $state.raw<Clash[]>([]);
  /** The fields that were changed here. */
  own = $derived.by(() => (this.#begun ? changes(this.#base, this.#form.read()) : {}));
  dirty = $derived(Object.keys(this.own).length > 0);
  /** Whether a reload would lose something of it. */
  losable = $derived(Object.keys(this.own).some((key) => this.#secret(key)));

  constructor(form: Form) {
    this.#form = form;
  }

  /** What the panel has now. `place` is where drafts are kept; without one they are not. Call it in an effect. */
  sync(theirs: Values, revision: string, place: string | null) {
    untrack(() => {
      if (!this.#begun || place !== this.#place) this.#begin(theirs, place);
      else this.#take(theirs, this.#form.read());
      this.#revision = revision;
    });
  }

  /** Keeps what was typed over a reload; call it in an effect. */
  keep() {
    if (!this.#begun || this.#place === null) return;
    const after = Object.fromEntries(Object.entries(this.own).filter(([key]) => !this.#secret(key)));
    const before = Object.fromEntries(Object.keys(after).map((key) => [key, this.#base[key]]));
    // A field that is taken away is null, which no field's value is.
    const text = JSON.stringify({ before, after }, (_key, value: unknown) => value ?? null);
    writeTab(this.#place, Object.keys(after).length > 0 ? text : null);
  }

  /** Back to what the panel has. */
  discard = () => {
    this.clashes = [];
    this.#form.write(this.#base);
    if (this.#place !== null) writeTab(this.#place, null);
  };

  choose(clash: Clash, which: 'mine' | 'theirs') {
    if (which === 'theirs') this.#form.write(changed(this.#form.read(), { [clash.key]: clash.theirs }));
    this.clashes = this.clashes.filter((other) => other.key !== clash.key);
  }

  /**
   * Saves with `send`, which is told the revision that was seen. Where the panel has another by now, `refresh` brings it (it
   * ends in `sync`), and what clashes with nothing is sent again. False where somebody has to choose first.
   */
  async save(send: (revision: string) => Promise<void>, refresh: () => Promise<void>): Promise<boolean> {
    for (let left = TRIES; this.clashes.length === 0; left -= 1) {
      try {
        const sent = this.own;
        await send(this.#revision);
        await tick();
        this.#saved(sent);
        return true;
      } catch (thrown) {
        if (!(thrown instanceof ApiError) || thrown.code !== 'precondition_failed' || left === 0) throw thrown;
        await refresh();
      }
    }
    return false;
  }

  /** What was saved and is not shown back, as a password that may only be replaced, is no change any more. */
  #saved(sent: Values) {
    const unread = Object.keys(sent).filter((key) => key in this.own && same(this.own[key], sent[key]));
    if (unread.length > 0) this.#form.write(changed(this.#form.read(), Object.fromEntries(unread.map((key) => [key, this.#base[key]]))));
  }

  #secret(key: string) {
    return this.#form.secret?.(key) ?? false;
  }

  #begin(theirs: Values, place: string | null) {
    this.#place = place;
    this.clashes = [];
    this.#base = theirs;
    const draft = place === null ? null : kept(place);
    if (draft) {
      this.#base = changed(theirs, draft.before);
      this.#take(theirs, changed(this.#base, draft.after));
    } else {
      this.#form.write(theirs);
    }
    this.#begun = true;
  }

  /** `typed` upon `theirs`. */
  #take(theirs: Values, typed: Values) {
    const { mine, clashes } = rebase(this.#base, typed, theirs);
    // Not chosen yet: what is theirs may be another value by now.
    const older = this.clashes
      .filter(({ key }) => !clashes.some((clash) => clash.key === key) && !same(mine[key], theirs[key]))
      .map(({ key }) => ({ key, mine: mine[key], theirs: theirs[key] }));
    this.#base = theirs;
    this.clashes = [...older, ...clashes];
    if (!this.#begun || !same(mine, typed)) this.#form.write(mine);
  }
}

function kept(place: string): Draft | null {
  try {
    const draft = JSON.parse(readTab(place) ?? 'null') as Draft | null;
    if (!draft) return null;
    const there = (values: Values) => Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value ?? undefined]));
    return { before: there(draft.before), after: there(draft.after) };
  } catch {
    // Kept by another version of the page.
    return null;
  }
}
