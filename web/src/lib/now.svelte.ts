/** The time, once a second, for everything that counts down or up; by the panel's clock, as its times are. */
class Now {
  #ticked = $state(Date.now());
  #offset = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  get value(): number {
    return this.#ticked;
  }

  start() {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => (this.#ticked = Date.now() + this.#offset), 1000);
  }

  stop() {
    clearInterval(this.#timer);
  }

  /** An answer's Date header; small differences are its own rounding. */
  learn(date: string | null) {
    const offset = date ? Date.parse(date) - Date.now() : Number.NaN;
    if (!Number.isNaN(offset)) this.#offset = Math.abs(offset) > 3000 ? offset : 0;
  }
}

export const now = new Now();
