import { read, write } from '../storage';

export type ThemeChoice = 'system' | 'light' | 'dark';

const prefersLight = () => matchMedia('(prefers-color-scheme: light)');

class Theme {
  choice = $state<ThemeChoice>('system');
  /** What is drawn; charts read their colours anew when it changes. */
  drawn = $state<'light' | 'dark'>('dark');

  start() {
    const stored = read('theme');
    this.choice = stored === 'light' || stored === 'dark' ? stored : 'system';
    this.#draw();
    prefersLight().addEventListener('change', () => this.#draw());
  }

  set(choice: ThemeChoice) {
    this.choice = choice;
    write('theme', choice === 'system' ? null : choice);
    this.#draw();
  }

  #draw() {
    const light = this.choice === 'light' || (this.choice === 'system' && prefersLight().matches);
    this.drawn = light ? 'light' : 'dark';
    document.documentElement.dataset.theme = this.drawn;
  }
}

export const theme = new Theme();
