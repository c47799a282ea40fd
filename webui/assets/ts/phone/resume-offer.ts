import type { KeptCall } from "./call";
import { element } from "./element";

/** Asks whether to go on with the calls that the page before left, as long as that can be done. */
export class ResumeOffer {
  private readonly place = element("resume");
  private calls: KeptCall[] = [];
  private until = 0;

  constructor(resume: (calls: KeptCall[]) => void, end: (calls: KeptCall[]) => void) {
    element("resume-call").addEventListener("click", () => resume(this.close()));
    element("resume-end").addEventListener("click", () => end(this.close()));
  }

  /** Whether it is asked now. */
  get isOpen(): boolean {
    return this.calls.length > 0;
  }

  open(calls: KeptCall[], until: number): void {
    this.calls = calls;
    this.until = until;
    element("resume-who").textContent = calls.map((call) => call.who).join(" and ");
    this.place.hidden = false;
    element("resume-call").focus();
    this.tick();
  }

  /** True when the time has just run out. */
  tick(): boolean {
    if (!this.isOpen) return false;
    const left = Math.ceil((this.until - Date.now()) / 1000);
    element("resume-left").textContent = String(Math.max(left, 0));
    if (left > 0) return false;
    this.close();
    return true;
  }

  private close(): KeptCall[] {
    const { calls } = this;
    this.calls = [];
    this.place.hidden = true;
    return calls;
  }
}
