interface Fold {
  open: boolean;
  toggle(): void;
}

/** Alpine component: something that a phone shows only when asked to. */
export const fold = (): Fold => ({
  open: false,
  toggle() {
    this.open = !this.open;
  },
});
