import { describe, expect, it } from 'vitest';
import { backOff, initial, isLost, SESSION_ENDED, step, type LinkEvent, type LinkState } from './reconnect';

const run = (...events: LinkEvent[]): LinkState => events.reduce(step, initial);
const closed = (code = 1006): LinkEvent => ({ type: 'closed', code, random: 1 });
const start: LinkEvent = { type: 'start' };
const opened: LinkEvent = { type: 'opened' };
const retry: LinkEvent = { type: 'retry' };

describe('the live link', () => {
  it('opens', () => {
    expect(run(start).phase).toBe('connecting');
    expect(run(start, opened)).toMatchObject({ phase: 'open', attempt: 0 });
    expect(isLost(run(start, opened))).toBe(false);
  });
  it('is lost at once when it was open, and whole again after a retry', () => {
    const lost = run(start, opened, closed());
    expect(lost).toMatchObject({ phase: 'waiting', attempt: 1, delay: 500 });
    expect(isLost(lost)).toBe(true);
    expect(isLost(step(lost, retry))).toBe(true);
    expect(isLost(run(start, opened, closed(), retry, opened))).toBe(false);
  });
  it('is not called lost at the first failure of a fresh page', () => {
    expect(isLost(run(start, closed()))).toBe(false);
    expect(isLost(run(start, closed(), retry, closed()))).toBe(true);
  });
  it('waits longer each time, up to 15 s, and begins anew after it was open', () => {
    const delays = [];
    let state = run(start, opened);
    for (let round = 0; round < 8; round += 1) {
      state = step(state, closed());
      delays.push(state.delay);
      state = step(state, retry);
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
    expect(step(step(state, opened), closed()).delay).toBe(500);
  });
  it('spreads the waits', () => {
    expect(backOff(2, 0)).toBe(1000);
    expect(backOff(2, 1)).toBe(2000);
    expect(backOff(1000, 1)).toBe(15_000);
  });
  it('does not come back after the session ended, until it is started again', () => {
    const ended = run(start, opened, closed(SESSION_ENDED));
    expect(ended.phase).toBe('ended');
    expect(step(ended, retry).phase).toBe('ended');
    expect(step(ended, closed()).phase).toBe('ended');
    expect(step(ended, start).phase).toBe('connecting');
  });
  it('ignores what does not fit', () => {
    expect(step(initial, opened)).toBe(initial);
    expect(step(initial, closed())).toBe(initial);
    expect(run(start, opened, retry).phase).toBe('open');
    expect(run(start, opened, start).phase).toBe('open');
    expect(run(start, opened, { type: 'stop' })).toEqual(initial);
  });
});
