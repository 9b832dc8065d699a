class PaletteState {
  open = $state(false);

  show() {
    this.open = true;
  }
}

export const palette = new PaletteState();
