import { describe, expect, it } from 'vitest';
import { changed, changes, rebase } from './rebase';

describe('rebase', () => {
  it('takes what the other changed, and keeps what I changed', () => {
    const base = { name: 'a', memory: 1, ports: [{ external: 1 }] };
    expect(rebase(base, { ...base, memory: 2 }, { ...base, name: 'b' })).toEqual({ mine: { name: 'b', memory: 2, ports: [{ external: 1 }] }, clashes: [] });
  });

  it('names a field that both changed, and only where the values differ', () => {
    const base = { name: 'a', cpu: 1 };
    expect(rebase(base, { name: 'm', cpu: 2 }, { name: 't', cpu: 2 })).toEqual({ mine: { name: 'm', cpu: 2 }, clashes: [{ key: 'name', mine: 'm', theirs: 't' }] });
  });

  it('knows fields that come and go', () => {
    expect(rebase({ a: '1' }, {}, { a: '1', b: '2' })).toEqual({ mine: { b: '2' }, clashes: [] });
    expect(rebase({ a: '1' }, {}, { a: '2' })).toEqual({ mine: {}, clashes: [{ key: 'a', mine: undefined, theirs: '2' }] });
    expect(rebase({}, { c: '3' }, {})).toEqual({ mine: { c: '3' }, clashes: [] });
  });

  it('says what differs, and puts it back on', () => {
    const [before, after] = [{ a: 1, b: [1], c: 3 }, { a: 1, b: [2], d: 4 }];
    expect(changes(before, after)).toEqual({ b: [2], c: undefined, d: 4 });
    expect(changed(before, changes(before, after))).toEqual(after);
  });
});
