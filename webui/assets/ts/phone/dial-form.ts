import { element } from "./element";
import { Suggestions } from "./suggestions";

/** What the form is for while there is a call; "" when it is put away. */
export type Purpose = "" | "tones" | "transfer" | "second";

export interface DialFormView {
  /** Call this number or name. */
  dial(text: string): Promise<void>;
  /** Transfer the active call there. */
  transfer(text: string): void;
  /** Send a key's tone to whom one talks to. */
  tone(key: string): void;
  /** Whom one talks to. */
  readonly partner: string;
}

/** The buttons that open the form in a call, by what for. */
const OPENERS = { tones: "keys", transfer: "transfer", second: "second" } as const;
const TONES_SHOWN = 24;
const KEYS_OF_THE_PAD = /^[\d*#]$/;

/** The field with the dial pad: to call, and during a call for tones, a second call or a transfer. */
export class DialForm {
  private readonly root = element("phone");
  private readonly field = element<HTMLInputElement>("number");
  private readonly suggestions: Suggestions;

  constructor(private readonly view: DialFormView) {
    const { people } = this.root.dataset;
    this.suggestions = new Suggestions(this.field, element("found"), people ?? "");
    element("dial").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.purpose === "transfer") this.use((text) => this.view.transfer(text));
      else this.use((text) => void this.view.dial(text));
    });
    element("dial").addEventListener("click", (event) => {
      const key = (event.target as Element).closest<HTMLElement>("[data-key]")?.dataset.key;
      if (key) this.press(key);
    });
    element("ask-first").addEventListener("click", () => this.use((text) => void this.view.dial(text)));
    element("dial-cancel").addEventListener("click", () => this.setPurpose(""));
    for (const [purpose, id] of Object.entries(OPENERS)) {
      element(id).addEventListener("click", () =>
        this.setPurpose(this.purpose === purpose ? "" : (purpose as Purpose)),
      );
    }
    document.addEventListener("keydown", (event) => this.key(event));
  }

  get purpose(): Purpose {
    return (this.root.dataset.purpose ?? "") as Purpose;
  }

  /** Open the form for that, or put it away. */
  setPurpose(purpose: Purpose): void {
    const before = this.purpose;
    if (before === purpose) return;
    this.root.dataset.purpose = purpose;
    for (const [its, id] of Object.entries(OPENERS)) {
      element(id).setAttribute("aria-expanded", String(its === purpose));
    }
    this.clear();
    element("dial-purpose").textContent =
      purpose === "transfer" ? `Transfer ${this.view.partner} to` : "Call somebody else as well";
    if (purpose === "transfer" || purpose === "second") this.field.focus();
    else if (before) element(OPENERS[before]).focus();
  }

  /** Put a number that was chosen elsewhere into the field. */
  fill(number: string): void {
    this.suggestions.hide();
    this.field.value = number;
    this.field.focus();
  }

  /** Empty the field, ready for the next number. */
  clear(): void {
    this.field.value = "";
    this.suggestions.hide();
    element("tones-sent").textContent = "";
    if (!this.purpose) this.field.focus(); // does nothing while the field is not shown
  }

  private use(then: (text: string) => void): void {
    this.suggestions.hide();
    if (this.field.value.trim()) then(this.field.value);
    else this.field.focus();
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "Escape" && this.purpose) this.setPurpose("");
    if (this.purpose !== "tones" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (KEYS_OF_THE_PAD.test(event.key)) this.press(event.key);
  }

  private press(key: string): void {
    if (this.purpose === "tones") {
      this.view.tone(key);
      const sent = element("tones-sent");
      sent.textContent = (sent.textContent + key).slice(-TONES_SHOWN);
      return;
    }
    const { selectionStart: from, selectionEnd: to, value } = this.field;
    this.field.setRangeText(key, from ?? value.length, to ?? value.length, "end");
    this.field.dispatchEvent(new Event("input"));
  }
}
