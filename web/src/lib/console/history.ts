/** The commands typed before, as a shell keeps them; the half-typed one waits at the end. */
export class History {
  #entries: string[];
  #at: number;
  #draft = '';

  constructor(
    entries: string[] = [],
    readonly capacity = 100
  ) {
    this.#entries = entries.slice(-capacity);
    this.#at = this.#entries.length;
  }

  static load(stored: string | null): History {
    try {
      const entries: unknown = JSON.parse(stored ?? '[]');
      return new History(Array.isArray(entries) ? entries.filter((entry) => typeof entry === 'string') : []);
    } catch {
      return new History();
    }
  }

  add(command: string) {
    if (command.trim() !== '' && this.#entries.at(-1) !== command) {
      this.#entries = [...this.#entries, command].slice(-this.capacity);
    }
    this.#at = this.#entries.length;
    this.#draft = '';
  }

  /** The one before; null when there is none. */
  up(typed: string): string | null {
    if (this.#at === 0) return null;
    if (this.#at === this.#entries.length) this.#draft = typed;
    this.#at -= 1;
    return this.#entries[this.#at] ?? null;
  }

  down(): string | null {
    if (this.#at === this.#entries.length) return null;
    this.#at += 1;
    return this.#at === this.#entries.length ? this.#draft : (this.#entries[this.#at] ?? null);
  }

  store(): string {
    return JSON.stringify(this.#entries);
  }
}
