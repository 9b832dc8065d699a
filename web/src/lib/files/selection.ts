/** Which entries of a list are selected, as desktop file managers do it. Pure: each function gives a new selection. */

export interface Selection {
  chosen: ReadonlySet<string>;
  /** Where the keyboard is. */
  cursor: string | null;
  /** Where a range begins that Shift draws out. */
  anchor: string | null;
}

export const nothing: Selection = { chosen: new Set(), cursor: null, anchor: null };

export const only = (name: string): Selection => ({ chosen: new Set([name]), cursor: name, anchor: name });

function range(names: readonly string[], from: string, to: string): string[] {
  const [a, b] = [names.indexOf(from), names.indexOf(to)];
  if (a < 0 || b < 0) return [to];
  return names.slice(Math.min(a, b), Math.max(a, b) + 1);
}

export function toggle(selection: Selection, name: string): Selection {
  const chosen = new Set(selection.chosen);
  if (!chosen.delete(name)) chosen.add(name);
  return { chosen, cursor: name, anchor: name };
}

export interface Keys {
  shift?: boolean;
  ctrl?: boolean;
}

export function click(selection: Selection, names: readonly string[], name: string, { shift, ctrl }: Keys): Selection {
  if (shift) {
    const anchor = selection.anchor ?? selection.cursor ?? name;
    const drawn = range(names, anchor, name);
    return { chosen: new Set(ctrl ? [...selection.chosen, ...drawn] : drawn), cursor: name, anchor };
  }
  return ctrl ? toggle(selection, name) : only(name);
}

/** To the entry at this index of the list; with Ctrl the keyboard moves alone. */
export function moveTo(selection: Selection, names: readonly string[], index: number, { shift, ctrl }: Keys = {}): Selection {
  const name = names[Math.max(0, Math.min(names.length - 1, index))];
  if (name === undefined) return selection;
  if (shift) return click(selection, names, name, { shift });
  if (ctrl) return { ...selection, cursor: name };
  return only(name);
}

export function moveBy(selection: Selection, names: readonly string[], steps: number, keys: Keys = {}): Selection {
  const at = selection.cursor === null ? -1 : names.indexOf(selection.cursor);
  // From nowhere the first step goes to the first entry, or up to the last.
  if (at < 0) return moveTo(selection, names, steps > 0 ? steps - 1 : names.length + steps, keys);
  return moveTo(selection, names, at + steps, keys);
}

export const all = (selection: Selection, names: readonly string[]): Selection => ({ ...selection, chosen: new Set(names) });

/** What is left of it when the list has changed. */
export function kept(selection: Selection, names: readonly string[]): Selection {
  const there = new Set(names);
  const chosen = new Set([...selection.chosen].filter((name) => there.has(name)));
  const still = (name: string | null) => (name !== null && there.has(name) ? name : null);
  return { chosen, cursor: still(selection.cursor), anchor: still(selection.anchor) };
}
