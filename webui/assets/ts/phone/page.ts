import type { UA } from "jssip";
import type { RTCSession } from "jssip/lib/RTCSession";

import { clockText } from "../durations";
import { LOGGED_OUT, onLogOut } from "../log-out";
import { Call, type CallView } from "./call";
import { Line } from "./line";
import { closeMicrophone, NoMicrophone, openMicrophone } from "./microphone";
import { Sounds } from "./sounds";
import { Suggestions } from "./suggestions";

const element = <T extends HTMLElement>(id: string): T => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found as T;
};

/** Till the server has noted a call that has just ended, or a log-out. */
const NOTED_MS = 1500;

class Page implements CallView {
  private readonly root = element("phone");
  private readonly field = element<HTMLInputElement>("number");
  private readonly voice = element<HTMLAudioElement>("voice");
  private readonly sounds = new Sounds();
  private readonly suggestions: Suggestions;
  private readonly line: Line;
  private readonly title = document.title;
  private call: Call | null = null;
  private opening = false;

  constructor() {
    const { credential, people, logIn } = this.root.dataset;
    this.suggestions = new Suggestions(this.field, element("found"), people ?? "");
    this.line = new Line(
      credential ?? "",
      (state) => {
        this.root.dataset.state = state;
      },
      () => location.assign(`${logIn}?next=${encodeURIComponent(location.pathname)}`),
      (ua) => this.take(ua),
    );
  }

  start(): void {
    element("dial").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.dial(this.field.value);
    });
    element("answer").addEventListener("click", () => void this.answer());
    element("decline").addEventListener("click", () => this.call?.decline());
    element("hang-up").addEventListener("click", () => this.call?.hangUp());
    element("mute").addEventListener("click", () => this.call?.toggleMute());
    element("hold").addEventListener("click", () => this.call?.toggleHold());
    this.root.addEventListener("click", (event) => {
      const target = event.target as Element;
      const key = target.closest<HTMLElement>("[data-key]")?.dataset.key;
      if (key) this.press(key);
      const number = target.closest<HTMLElement>("[data-dial]")?.dataset.dial;
      if (number) void this.dial(number);
    });
    element("phone-trouble")
      .querySelector("[data-close]")
      ?.addEventListener("click", () => this.tell(""));
    setInterval(() => this.tick(), 500);
    window.addEventListener("pagehide", () => this.line.stop());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) location.reload(); // it was stopped when it was left
    });
    onLogOut((how) => {
      this.line.stop();
      // The other window's request is still on its way to the server.
      if (how === LOGGED_OUT.ELSEWHERE) setTimeout(() => location.reload(), NOTED_MS);
    });
    void this.line.renew();
  }

  // ---------------------------------------------------------------- what the call tells

  show(call: Call): void {
    const now = element("call-now");
    const came = now.hidden;
    now.hidden = false;
    this.root.dataset.mode = call.mode;
    element("call-state").textContent = stateOf(call);
    element("call-who").textContent = call.who;
    element("call-detail").textContent = call.detail;
    element("call-time").hidden = call.mode !== "talking";
    element("mute").setAttribute("aria-pressed", String(call.muted));
    element("hold").setAttribute("aria-pressed", String(call.held));
    const acts = now.querySelectorAll<HTMLElement>("[data-in]");
    for (const act of acts) act.hidden = !act.dataset.in?.split(" ").includes(call.mode);
    document.title = call.mode === "incoming" ? `${call.who} is calling` : this.title;
    if (call.mode === "incoming") {
      if (came) {
        this.sounds.ring();
        element("answer").focus();
      }
    } else if (call.mode === "calling") {
      if (came) element("hang-up").focus();
      if (call.rings) this.sounds.ringsThere();
    } else {
      this.sounds.stop();
    }
    this.tick();
  }

  hear(voice: MediaStream): void {
    this.voice.srcObject = voice;
  }

  gone(call: Call, words: string): void {
    if (call !== this.call && this.call !== null) return;
    this.call = null;
    this.sounds.stop();
    this.voice.srcObject = null;
    this.root.dataset.mode = "idle";
    element("call-now").hidden = true;
    document.title = this.title;
    this.field.value = "";
    this.field.focus();
    this.tell(words);
    setTimeout(() => void this.refreshHistory(), NOTED_MS);
  }

  // ---------------------------------------------------------------- what the person does

  private async dial(text: string): Promise<void> {
    const number = text.trim();
    this.suggestions.hide();
    if (!number) return this.field.focus();
    if (this.call || this.opening) return;
    if (/\s/.test(number) && !/^[+\d\s()/.-]+$/.test(number)) {
      return this.tell("That is no number. Choose somebody from the list, or type a number.");
    }
    const target = /^[+\d]/.test(number) ? number.replace(/[\s()/]/g, "") : number;
    const ua = this.line.ua;
    if (!ua?.isRegistered()) return this.tell("The phone is not connected yet. Try again soon.");
    const microphone = await this.microphone();
    if (!microphone) return;
    if (this.call) return closeMicrophone(microphone); // somebody called meanwhile
    try {
      this.call = Call.out(ua, target, microphone, this);
    } catch {
      closeMicrophone(microphone);
      this.root.dataset.mode = "idle";
      element("call-now").hidden = true;
      this.tell(`“${number}” cannot be called. Type a number, or an address such as 1001@example.com.`);
    }
  }

  private async answer(): Promise<void> {
    const call = this.call;
    if (!call || this.opening) return;
    const microphone = await this.microphone();
    if (microphone) call.answer(microphone);
  }

  private async microphone(): Promise<MediaStream | null> {
    this.opening = true;
    try {
      const microphone = await openMicrophone(this.root.dataset.httpsPort ?? "");
      this.tell("");
      return microphone;
    } catch (error) {
      if (!(error instanceof NoMicrophone)) throw error;
      this.tell(error.message);
      return null;
    } finally {
      this.opening = false;
    }
  }

  private press(key: string): void {
    if (this.call?.mode === "talking") {
      this.call.press(key);
      return;
    }
    const { selectionStart: from, selectionEnd: to, value } = this.field;
    this.field.setRangeText(key, from ?? value.length, to ?? value.length, "end");
    this.field.dispatchEvent(new Event("input"));
  }

  // ---------------------------------------------------------------- the rest

  private take(ua: UA): void {
    ua.on("newRTCSession", (event: { originator: string; session: RTCSession }) => {
      if (event.originator !== "remote") return;
      if (this.call || this.opening) {
        event.session.terminate({ status_code: 486, reason_phrase: "Busy Here" });
        return;
      }
      this.tell("");
      this.call = Call.incoming(event.session, this);
    });
  }

  private tell(words: string): void {
    const banner = element("phone-trouble");
    const text = banner.querySelector("p");
    if (text) text.textContent = words;
    banner.hidden = !words;
  }

  private tick(): void {
    if (this.call?.mode !== "talking") return;
    const text = clockText((Date.now() - this.call.since) / 1000);
    element("call-time").textContent = text;
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

function stateOf(call: Call): string {
  if (call.mode === "incoming") return "Incoming call";
  if (call.mode === "calling") return call.rings ? "Ringing …" : "Calling …";
  if (call.held) return "On hold";
  if (call.heldThere) return "Put on hold by the other side";
  return call.muted ? "Talking, microphone off" : "Talking";
}

new Page().start();
