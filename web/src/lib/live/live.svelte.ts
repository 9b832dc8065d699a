/** The only WebSocket. Topics are subscribed by reference count and again after every reconnect. */
import { ApiError } from '../errors';
import { sessionKey } from '../account/keys';
import { initial, isLost, SESSION_ENDED, step, type LinkEvent, type LinkState } from './reconnect';

export interface LiveMessage {
  topic: string;
  data?: unknown;
  error?: { code: string; message: string };
}
type Handler = (message: LiveMessage) => void;

/** Between two rounds of questions while no socket comes about, in milliseconds. */
const POLL_EVERY = 3_000;
/** Silence after which we ask whether somebody is still there, and after which we give the link up. */
const PROBE_AFTER = 20_000;
const GIVE_UP_AFTER = 30_000;

class Live {
  #state = $state.raw<LinkState>(initial);
  #socket: WebSocket | null = null;
  #handlers = new Map<string, Set<Handler>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #heard = 0;
  #probed = false;

  #poll: ReturnType<typeof setInterval> | undefined;
  #asking = false;

  /** True while the API answers and no socket comes about: a proxy on the way passes none, so topics are asked for instead. */
  blocked = $state(false);
  /** True while what the page shows may be old. */
  lost = $derived(isLost(this.#state) && !this.blocked);
  open = $derived(this.#state.phase === 'open');
  /** Called when the session was ended elsewhere. */
  onSessionEnded: () => void = () => {};
  /**
   * Called when an attempt failed before it was open: browsers do not say why, but the API does. Resolves to whether that
   * answered.
   */
  onRefused: () => Promise<boolean> = () => Promise.resolve(false);

  start() {
    this.#advance({ type: 'start' });
    window.addEventListener('online', this.retryNow);
    document.addEventListener('visibilitychange', this.#onVisible);
    clearInterval(this.#watch);
    this.#watch = setInterval(() => this.#check(), 5_000);
  }

  stop() {
    window.removeEventListener('online', this.retryNow);
    document.removeEventListener('visibilitychange', this.#onVisible);
    clearInterval(this.#watch);
    clearTimeout(this.#timer);
    this.#stopPolling();
    this.#state = step(this.#state, { type: 'stop' });
    this.#drop();
  }

  retryNow = () => {
    clearTimeout(this.#timer);
    this.#advance({ type: 'retry' });
  };

  /** Each topic is answered at once with a whole picture, then with changes. */
  subscribe(topic: string, handler: Handler): () => void {
    let handlers = this.#handlers.get(topic);
    if (!handlers) {
      // What is listened to is no state of the page.
      // eslint-disable-next-line svelte/prefer-svelte-reactivity
      handlers = new Set();
      this.#handlers.set(topic, handlers);
    } else {
      // Somebody listens already: ask anew, so that the new one gets the whole picture too.
      this.#send({ unsubscribe: [topic] });
    }
    handlers.add(handler);
    this.#send({ subscribe: [topic] });
    if (this.blocked) void this.#askFor(topic);
    return () => {
      handlers.delete(handler);
      if (handlers.size === 0 && this.#handlers.get(topic) === handlers) {
        this.#handlers.delete(topic);
        this.#send({ unsubscribe: [topic] });
      }
    };
  }

  #advance(event: LinkEvent) {
    const before = this.#state.phase;
    this.#state = step(this.#state, event);
    const phase = this.#state.phase;
    if (phase === before) return;
    if (phase === 'connecting') this.#connect();
    if (phase === 'waiting') this.#timer = setTimeout(this.retryNow, this.#state.delay);
    if (phase === 'ended') this.onSessionEnded();
  }

  #connect() {
    this.#drop();
    // eslint-disable-next-line no-restricted-globals
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/live`);
    this.#socket = socket;
    socket.onopen = () => {
      this.#heard = Date.now();
      this.#probed = false;
      // The cookie alone opens nothing: the first message shows that this is the panel's own page.
      this.#send({ sessionKey: sessionKey() ?? '' });
      this.#advance({ type: 'opened' });
      this.#stopPolling();
      const topics = [...this.#handlers.keys()];
      if (topics.length > 0) this.#send({ subscribe: topics });
    };
    socket.onmessage = (event: MessageEvent) => {
      this.#heard = Date.now();
      this.#probed = false;
      if (typeof event.data === 'string') this.#deliver(event.data);
    };
    socket.onclose = (event: CloseEvent) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      const refused = this.#state.phase === 'connecting';
      if (refused) void this.onRefused().then((answered) => this.#mayPoll(answered));
      this.#advance({ type: 'closed', code: event.code, random: Math.random() });
    };
  }

  /** A socket that never came about although the API answers, twice in a row. */
  #mayPoll(answered: boolean) {
    const { phase, attempt, wasOpen } = this.#state;
    if (!answered || wasOpen || attempt < 2 || phase === 'ended' || this.blocked) return;
    this.blocked = true;
    clearInterval(this.#poll);
    this.#poll = setInterval(() => void this.#askAll(), POLL_EVERY);
    void this.#askAll();
  }

  #stopPolling() {
    clearInterval(this.#poll);
    this.#poll = undefined;
    this.blocked = false;
  }

  async #askAll() {
    if (this.#asking || document.visibilityState === 'hidden') return;
    this.#asking = true;
    try {
      for (const topic of [...this.#handlers.keys()]) {
        if (!this.blocked) return;
        await this.#askFor(topic);
      }
    } finally {
      this.#asking = false;
    }
  }

  async #askFor(topic: string) {
    try {
      // Hardly anybody needs it.
      const { ask } = await import('./polling');
      const data = await ask(topic);
      if (data !== undefined && this.blocked) this.#hand({ topic, data });
    } catch (cause) {
      // Without an answer at all the panel is away, and that is said.
      if (cause instanceof ApiError && cause.code !== 'network') {
        this.#hand({ topic, error: { code: cause.code, message: cause.message } });
      } else {
        this.#stopPolling();
      }
    }
  }

  #deliver(text: string) {
    let message: LiveMessage;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    this.#hand(message);
  }

  #hand(message: LiveMessage) {
    for (const handler of this.#handlers.get(message.topic) ?? []) handler(message);
  }

  #send(message: { sessionKey?: string; subscribe?: string[]; unsubscribe?: string[] }) {
    // eslint-disable-next-line no-restricted-globals
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Browsers do not show pings: after a long silence one topic is asked anew, and no answer means a dead link. */
  #check() {
    if (this.#state.phase !== 'open') return;
    const silence = Date.now() - this.#heard;
    if (silence > GIVE_UP_AFTER && this.#probed) {
      this.#drop();
      this.#advance({ type: 'closed', code: 1006, random: Math.random() });
    } else if (silence > PROBE_AFTER && !this.#probed) {
      this.#probed = true;
      this.#send({ unsubscribe: ['status'] });
      this.#send({ subscribe: ['status'] });
    }
  }

  #onVisible = () => {
    if (document.visibilityState === 'visible') {
      this.retryNow();
      this.#check();
    }
  };

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}

export const live = new Live();
export { SESSION_ENDED };
