const ASKED = "branchline-notices-asked";

/**
 * The browser's own notice of a call while nobody looks at the page. Permission is asked for by a
 * click of the person's, never by itself, and a "Not now" is remembered.
 */
export class Notice {
  private shown: Notification | null = null;

  constructor(private readonly question: HTMLElement) {
    question.querySelector("[data-allow]")?.addEventListener("click", () => void this.ask());
    question.querySelector("[data-later]")?.addEventListener("click", () => this.later());
  }

  /** Offer the notices if nobody has decided about them yet. */
  offer(): void {
    this.question.hidden = !this.isOpen();
  }

  /** Tell of a call if the page is not in sight. */
  tell(who: string): void {
    if (document.visibilityState === "visible" && document.hasFocus()) return;
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    try {
      this.shown = new Notification(`${who} is calling`, {
        body: "Click to see the call.",
        tag: "branchline-call",
        requireInteraction: true,
      });
    } catch {
      return; // browsers of small devices have them for service workers only
    }
    this.shown.onclick = () => {
      window.focus();
      this.clear();
    };
  }

  clear(): void {
    this.shown?.close();
    this.shown = null;
  }

  private isOpen(): boolean {
    if (!("Notification" in window) || Notification.permission !== "default") return false;
    try {
      return localStorage.getItem(ASKED) === null;
    } catch {
      return false; // it could not be remembered: better not to ask at all
    }
  }

  private async ask(): Promise<void> {
    this.question.hidden = true;
    await Notification.requestPermission();
  }

  private later(): void {
    this.question.hidden = true;
    localStorage.setItem(ASKED, "later");
  }
}
