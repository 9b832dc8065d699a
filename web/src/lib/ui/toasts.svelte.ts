import { asError } from '../errors';

export interface Toast {
  id: number;
  tone: 'ok' | 'bad';
  title: string;
  text: string;
  /** What can be done about it, as long as it is shown. */
  action?: ToastAction | undefined;
}

export interface ToastAction {
  label: string;
  run: () => void;
}

class Toasts {
  list = $state<Toast[]>([]);
  #next = 1;

  ok(title: string, text = '', action?: ToastAction) {
    this.#add('ok', title, text, action ? 10_000 : 4000, action);
  }

  error(title: string, text = '') {
    this.#add('bad', title, text, 9000);
  }

  /** What failed, the panel's sentence, and what to do next. */
  failed(what: string, thrown: unknown) {
    const error = asError(thrown);
    if (error.code === 'unauthenticated') return;
    this.error(what, [error.message, error.hint].filter(Boolean).join(' '));
  }

  close(id: number) {
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  #add(tone: Toast['tone'], title: string, text: string, time: number, action?: ToastAction) {
    const id = this.#next;
    this.#next += 1;
    this.list = [...this.list.filter((toast) => toast.title !== title || toast.text !== text), { id, tone, title, text, action }].slice(-4);
    setTimeout(() => this.close(id), time);
  }
}

export const toasts = new Toasts();
