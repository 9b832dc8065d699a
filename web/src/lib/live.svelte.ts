/** The only WebSocket. Topics are subscribed by reference count and again after every reconnect. */
import { sessionKey } from './keys';
import { initial, isLost, SESSION_ENDED, step, type LinkEvent, type LinkState } from './live/reconnect';

export interface LiveMessage {
  topic: string;
  data?: unknown;
  error?: { code: string; message: string };
}
type Handler = (message: LiveMessage) => void;

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

  /** True while what the page shows may be old. */
  lost = $derived(isLost(this.#state));
  open = $derived(this.#state.phase === 'open');
  /** Called when the session was ended elsewhere. */
  onSessionEnded: () => void = () => {};
  /** Called when an attempt failed before it was open: browsers do not say why, but the API does. */
  onRefused: () => void = () => {};

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
      if (this.#state.phase === 'connecting') this.onRefused();
      this.#advance({ type: 'closed', code: event.code, random: Math.random() });
    };
  }

  #deliver(text: string) {
    let message: LiveMessage;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
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
