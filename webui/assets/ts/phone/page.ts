import type { UA } from "jssip";
import type { RTCSession } from "jssip/lib/RTCSession";

import { LOGGED_OUT, onLogOut } from "../log-out";
import { Call, type KeptCall } from "./call";
import { CallPanel, type OtherAct } from "./call-panel";
import { Calls, type CallsView } from "./calls";
import { type Refusal, REFUSED } from "./credential";
import { deviceOf, newDevice } from "./device";
import { DialForm, type DialFormView } from "./dial-form";
import { element } from "./element";
import { KEPT_MS, KeptCalls } from "./kept-calls";
import { Line, type LineState, type LineView } from "./line";
import { closeMicrophone, LOST, NoMicrophone, openMicrophone } from "./microphone";
import { nameOf } from "./names";
import { Notice } from "./notice";
import { NotCallable, targetOf } from "./number";
import { ResumeOffer } from "./resume-offer";
import { type Sound, Sounds } from "./sounds";
import { Tabs, type TabsView } from "./tabs";

/** Till the server has noted a call that has just ended, or a log-out. */
const NOTED_MS = 1500;
const TICK_MS = 500;
const GOES_ON: Record<Refusal, string> = {
  out: "You are logged out. This call goes on; log in again in another tab, or here after it.",
  "no-extension":
    "Your extension was switched off or given to somebody else. This call goes on.",
};

class Page implements CallsView, DialFormView, LineView, TabsView {
  private readonly root = element("phone");
  private readonly sounds = new Sounds();
  private readonly calls = new Calls(this);
  private readonly panel = new CallPanel(this.calls, (call, act) => this.actOn(call, act));
  private readonly notice = new Notice(element("ask-notice"));
  private readonly form = new DialForm(this);
  private readonly kept: KeptCalls;
  private readonly tabs: Tabs;
  private readonly offer = new ResumeOffer(
    (calls) => void this.resume(calls),
    (calls) => this.sayFarewell(calls),
  );
  private readonly name: string;
  private readonly title = document.title;
  private line: Line | null = null;
  private opening = false;
  private refusal: Refusal | "" = "";
  /** Calls to go on with, or to end, as soon as the server can be reached. */
  private waiting: { calls: KeptCall[]; until: number } = { calls: [], until: 0 };
  private farewells: KeptCall[] = [];
  /** The call that the form for keys, transfer and so on was opened for. */
  private concerned: Call | null = null;

  constructor() {
    this.name = this.root.dataset.name ?? "";
    this.kept = new KeptCalls(this.name);
    this.tabs = new Tabs(this.name, this);
  }

  start(): void {
    if (!window.RTCPeerConnection) {
      this.root.dataset.state = "unable"; // registered, it would ring and could not answer
      return;
    }
    this.listen();
    setInterval(() => this.tick(), TICK_MS);
    window.addEventListener("pagehide", () => this.hide());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) location.reload(); // it was stopped when it was left
    });
    window.addEventListener("online", () => this.line?.probe());
    window.addEventListener(REFUSED, () => {
      if (this.line) void this.line.renew();
      else location.reload(); // the phone is another tab: there is nothing to lose here
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.line?.probe(); // perhaps it slept
    });
    window.addEventListener(LOST, (event) => {
      const words = (event as CustomEvent<string>).detail;
      this.tell(words, words !== "");
    });
    onLogOut((how) => {
      this.kept.forget();
      this.line?.stop();
      // The other window's request is still on its way to the server.
      if (how === LOGGED_OUT.ELSEWHERE) setTimeout(() => location.reload(), NOTED_MS);
    });
    this.tabs.start();
  }

  private listen(): void {
    const on = (id: string, then: (event: Event) => void): void =>
      element(id).addEventListener("click", then);
    on("answer", () => this.calls.active && void this.answer(this.calls.active));
    on("decline", () => this.calls.active?.decline());
    on("hang-up", () => this.hangUp());
    on("mute", () => this.calls.active?.toggleMute());
    on("hold", () => this.calls.active?.hold(!this.calls.active.held));
    on("join", () => this.calls.join());
    on("use-here", () => void this.tabs.takeOver());
    this.root.addEventListener("click", (event) => {
      const number = (event.target as Element).closest<HTMLElement>("[data-dial]")?.dataset.dial;
      if (number && this.form.purpose === "transfer") this.form.fill(number);
      else if (number) void this.dial(number);
    });
    element("phone-trouble")
      .querySelector("[data-close]")
      ?.addEventListener("click", () => this.tell(""));
  }

  // ---------------------------------------------------------------- which tab is the phone

  own(asked: boolean): void {
    const device = Tabs.canAgree ? deviceOf(this.name) : newDevice();
    this.line = new Line(this.root.dataset.credential ?? "", device, this);
    this.state("connecting");
    const { calls, until } = this.kept.read();
    if (asked) {
      this.waiting = { calls, until };
      void this.resume(calls);
    } else if (calls.length) this.offer.open(calls, until);
    void this.line.renew();
  }

  other(): void {
    this.line?.leave();
    this.line = null;
    this.root.dataset.state = "elsewhere";
    this.form.setPurpose("");
    this.changed();
  }

  leave(): void {
    if (!this.offer.isOpen) this.kept.keep(this.calls.keep());
    this.calls.leave();
    this.line?.leave();
    this.line = null;
    this.changed();
  }

  private hide(): void {
    if (this.offer.isOpen || this.calls.keep().length) this.leave();
    else this.line?.stop();
  }

  // ---------------------------------------------------------------- what the line tells

  state(state: LineState | Refusal): void {
    this.root.dataset.state = state;
    if (state === "ready") {
      this.goOn();
      this.calls.reconnected();
    }
    this.changed();
  }

  out(why: Refusal): void {
    this.refusal = why;
    if (this.calls.active) {
      this.state(why);
      this.tell(GOES_ON[why]);
      return;
    }
    this.line?.stop();
    if (why === "no-extension") return location.reload(); // the server says what can be done
    const { logIn } = this.root.dataset;
    location.assign(`${logIn}?next=${encodeURIComponent(location.pathname)}`);
  }

  /** Somebody logged in again in another tab while the call went on. */
  back(): void {
    this.refusal = "";
    this.tell("");
    this.state(this.line?.ua?.isRegistered() ? "ready" : "connecting");
  }

  began(ua: UA): void {
    ua.on("newRTCSession", (event: { originator: string; session: RTCSession }) => {
      if (event.originator === "remote") this.calls.take(event.session);
    });
  }

  // ---------------------------------------------------------------- what the calls tell

  came(call: Call): void {
    if (call.mode === "incoming") this.tell("");
    void nameOf(this.root.dataset.people ?? "", call.number).then((name) => {
      if (name) call.rename(name);
      if (call.mode === "incoming" && !call.microphone && this.calls.all.includes(call)) {
        this.notice.tell(call.who);
      }
    });
  }

  changed(): void {
    this.panel.show();
    this.sounds.play(this.sound());
    const { active, all } = this.calls;
    const ringing = all.find((call) => call.mode === "incoming");
    document.title = ringing ? `${ringing.who} is calling` : this.title;
    if (!ringing) this.notice.clear();
    if (active?.mode !== "talking" || active !== this.concerned) this.form.setPurpose("");
    this.concerned = active;
  }

  gone(_call: Call, words: string): void {
    this.changed();
    this.remember();
    if (!this.calls.active) {
      if (this.refusal) return this.out(this.refusal);
      this.form.clear();
      this.notice.offer();
    }
    this.tell(words);
    setTimeout(() => void this.refreshHistory(), NOTED_MS);
  }

  interrupted(kept: KeptCall): void {
    this.waiting = { calls: [...this.waiting.calls, kept], until: Date.now() + KEPT_MS };
    this.changed();
  }

  isConnected(): boolean {
    return this.line?.isConnected ?? false;
  }

  probe(): void {
    this.line?.probe();
  }

  private sound(): Sound {
    const { active, all } = this.calls;
    if (all.some((call) => call.mode === "incoming" && !call.microphone)) {
      return all.some((call) => call.mode === "talking") ? "waiting" : "ring";
    }
    return active?.mode === "calling" && active.rings && !active.voice ? "rings-there" : "";
  }

  // ---------------------------------------------------------------- what the person does

  async dial(text: string): Promise<void> {
    if (this.opening || (this.calls.active && !this.calls.hasRoom)) return;
    try {
      const target = targetOf(text);
      const ua = this.line?.ua;
      if (!ua?.isRegistered()) return this.tell("The phone is not connected yet. Try again soon.");
      const microphone = await this.microphone();
      if (!microphone) return;
      if (this.calls.active && !this.calls.hasRoom) return closeMicrophone(microphone);
      this.call(ua, target, microphone);
    } catch (error) {
      if (!(error instanceof NotCallable)) throw error;
      this.tell(error.message);
    }
  }

  private call(ua: UA, target: string, microphone: MediaStream): void {
    try {
      this.calls.dial(ua, target, microphone);
      this.form.setPurpose("");
    } catch {
      closeMicrophone(microphone);
      throw new NotCallable(target);
    }
  }

  private async answer(call: Call): Promise<void> {
    if (this.opening) return;
    const microphone = await this.microphone();
    if (microphone) this.calls.answer(call, microphone);
  }

  private actOn(call: Call, act: OtherAct): void {
    if (act === "swap") this.calls.swapTo(call);
    else if (act === "decline") call.decline();
    else void this.answer(call);
  }

  private hangUp(): void {
    const call = this.calls.active;
    if (!call) return;
    const kept = call.keep();
    if (kept && !this.isConnected()) this.farewells.push(kept); // nobody there hears it now
    call.hangUp();
  }

  transfer(text: string): void {
    try {
      this.calls.active?.transfer(targetOf(text));
      this.form.setPurpose("");
    } catch (error) {
      if (!(error instanceof NotCallable)) throw error;
      this.tell(error.message);
    }
  }

  tone(key: string): void {
    this.calls.active?.press(key);
  }

  get partner(): string {
    return this.calls.active?.who ?? "";
  }

  private async microphone(): Promise<MediaStream | null> {
    this.opening = true;
    try {
      const microphone = await openMicrophone(this.root.dataset.httpsPort ?? "");
      this.tell("");
      return microphone;
    } catch (error) {
      if (!(error instanceof NoMicrophone)) throw error;
      this.tell(error.message, true);
      return null;
    } finally {
      this.opening = false;
    }
  }

  // ---------------------------------------------------------------- calls of an earlier page

  private async resume(calls: KeptCall[]): Promise<void> {
    if (!calls.length) return;
    this.waiting = { calls, until: Date.now() + KEPT_MS };
    this.goOn();
  }

  private sayFarewell(calls: KeptCall[]): void {
    this.kept.forget();
    this.farewells.push(...calls);
    this.goOn();
  }

  /** Do what waited for the server. */
  private goOn(): void {
    const ua = this.line?.ua;
    if (!ua?.isRegistered()) return;
    for (const kept of this.farewells.splice(0)) Call.farewell(ua, kept);
    const { calls, until } = this.waiting;
    this.waiting = { calls: [], until: 0 };
    if (Date.now() < until) void this.resumeNow(ua, calls);
  }

  private async resumeNow(ua: UA, calls: KeptCall[]): Promise<void> {
    for (const kept of calls) {
      const microphone = await this.microphone();
      if (microphone) this.calls.resume(ua, kept, microphone);
      else this.sayFarewell([kept]);
    }
    this.kept.forget();
  }

  /** Keep the calls for the page that comes after this one, be it after a crash. */
  private remember(): void {
    if (this.offer.isOpen || this.waiting.calls.length || !this.line) return;
    this.kept.keep(this.calls.keep());
  }

  // ---------------------------------------------------------------- the rest

  private tick(): void {
    this.calls.settle();
    this.remember();
    this.panel.tick();
    if (this.offer.tick()) this.tell("The call could not wait any longer and was ended.");
  }

  /** Say what went wrong; `check` offers the page that looks at what is missing. */
  private tell(words: string, check = false): void {
    const banner = element("phone-trouble");
    element("phone-help").hidden = !check;
    const text = banner.querySelector("p");
    if (text) text.textContent = words;
    banner.hidden = !words;
  }

  private async refreshHistory(): Promise<void> {
    try {
      const answer = await fetch(this.root.dataset.history ?? "");
      if (answer.ok) element("history").innerHTML = await answer.text();
    } catch {
      return; // the list stays as it was; the line's own state says that the server is away
    }
  }
}

new Page().start();
