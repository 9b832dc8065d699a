class PaletteState {
  open = $state(false);

  show() {
    this.open = true;
  }
}

export const palette = new PaletteState();

/** Ctrl and K, or ⌘ and K. */
export const opensPalette = (event: KeyboardEvent): boolean =>
  (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 'k';
