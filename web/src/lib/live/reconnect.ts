/** The life of the one WebSocket as a pure function of what happened, so that it can be tested without a network. */
export type Phase = 'idle' | 'connecting' | 'open' | 'waiting' | 'ended';

export interface LinkState {
  phase: Phase;
  /** Failed attempts in a row. */
  attempt: number;
  /** How long to wait before the next attempt, in milliseconds; only while waiting. */
  delay: number;
  /** True once the link has been open: before that, a missing link is not a lost one. */
  wasOpen: boolean;
}

export type LinkEvent =
  | { type: 'start' }
  | { type: 'opened' }
  | { type: 'closed'; code: number; random: number }
  | { type: 'retry' }
  | { type: 'stop' };

export const initial: LinkState = { phase: 'idle', attempt: 0, delay: 0, wasOpen: false };

/** The session is over: reconnecting would be refused again. */
export const SESSION_ENDED = 4401;

const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;

/** 0.5 s, 1 s, 2 s … 15 s, spread by half so that many browsers do not come back at once. */
export function backOff(attempt: number, random: number): number {
  const full = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(attempt, 10));
  return Math.round(full * (0.5 + random / 2));
}

export function step(state: LinkState, event: LinkEvent): LinkState {
  switch (event.type) {
    case 'start':
      return state.phase === 'idle' || state.phase === 'ended' ? { ...initial, phase: 'connecting' } : state;
    case 'opened':
      return state.phase === 'connecting' ? { phase: 'open', attempt: 0, delay: 0, wasOpen: true } : state;
    case 'closed':
      if (state.phase === 'idle' || state.phase === 'ended') return state;
      if (event.code === SESSION_ENDED) return { ...initial, phase: 'ended' };
      return {
        phase: 'waiting',
        attempt: state.attempt + 1,
        delay: backOff(state.attempt, event.random),
        wasOpen: state.wasOpen
      };
    case 'retry':
      return state.phase === 'waiting' ? { ...state, phase: 'connecting', delay: 0 } : state;
    case 'stop':
      return initial;
  }
}

/** Whether the page should say that what it shows may be old. */
export const isLost = (state: LinkState) =>
  state.attempt > 0 && (state.phase === 'waiting' || state.phase === 'connecting') && (state.wasOpen || state.attempt > 1);
