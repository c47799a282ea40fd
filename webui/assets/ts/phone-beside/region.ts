import { REFUSED } from "../phone/credential";

// A server that has not answered by then is treated as away; what is shown stays.
const TIMEOUT_MS = 8000;

/** A part of the page that is read again from `address`; the focus stays on the same button. */
export class Region {
  private text = "";

  constructor(
    private readonly element: HTMLElement,
    private readonly address: string,
  ) {}

  /** Read it again. Whether the server answered. */
  async read(): Promise<boolean> {
    try {
      const answer = await fetch(this.address, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      if ([401, 403].includes(answer.status)) window.dispatchEvent(new Event(REFUSED));
      if (!answer.ok) return false;
      const text = await answer.text();
      if (text !== this.text) this.show(text);
      this.text = text;
      return true;
    } catch {
      return false;
    }
  }

  private show(text: string): void {
    const focused = this.element.contains(document.activeElement)
      ? (document.activeElement as HTMLElement).dataset.dial
      : undefined;
    this.element.innerHTML = text;
    if (focused === undefined) return;
    const again = this.element.querySelector<HTMLElement>(`[data-dial="${CSS.escape(focused)}"]`);
    again?.focus({ preventScroll: true });
  }
}
