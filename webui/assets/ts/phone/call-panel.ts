import { clockText } from "../durations";
import type { Call } from "./call";
import type { Calls } from "./calls";
import { element } from "./element";

/** What the person can do about a call that is not the active one. */
export type OtherAct = "swap" | "answer" | "decline";

/** Shows the calls: the active one large with its buttons, the others as a list above the pad. */
export class CallPanel {
  private readonly root = element("phone");
  private readonly now = element("call-now");
  private readonly list = element("other-calls");
  private readonly pattern = element<HTMLTemplateElement>("other-call");
  private readonly voice = element<HTMLAudioElement>("voice");
  private rows = new Map<Call, HTMLElement>();
  private shown: Call | null = null;
  private mode = "idle";

  constructor(
    private readonly calls: Calls,
    act: (call: Call, what: OtherAct) => void,
  ) {
    this.list.addEventListener("click", (event) => {
      const button = (event.target as Element).closest<HTMLElement>("[data-act]");
      if (!button) return;
      for (const [call, row] of this.rows) {
        if (row.contains(button)) act(call, button.dataset.act as OtherAct);
      }
    });
  }

  /** Show everything as it is now. */
  show(): void {
    const focused = document.activeElement;
    const call = this.calls.active;
    const mode = call?.mode ?? "idle";
    const other = call !== this.shown || mode !== this.mode;
    this.root.dataset.mode = this.mode = mode;
    this.shown = call;
    this.now.hidden = !call;
    this.hear(call);
    if (call) this.showActive(call, other);
    this.showOthers();
    this.tell();
    this.tick();
    if (call && isGone(focused)) this.focusFirst();
  }

  /** The durations, as time goes by. */
  tick(): void {
    const call = this.calls.active;
    if (call?.mode !== "talking") return;
    element("call-time").textContent = clockText((Date.now() - call.since) / 1000);
  }

  private showActive(call: Call, fresh: boolean): void {
    const { others } = this.calls;
    const talking = others.filter((each) => each.mode === "talking").length;
    this.now.dataset.tone = call.broken ? "bad" : call.held || call.heldThere ? "hold" : "";
    say("call-state", stateOf(call));
    say("call-who", call.who);
    say("call-detail", call.detail);
    say("call-note", call.note);
    element("call-time").hidden = call.mode !== "talking";
    pressed("mute", call.muted);
    pressed("hold", call.held);
    for (const act of this.now.querySelectorAll<HTMLButtonElement>("[data-in]")) {
      act.hidden =
        !act.dataset.in?.split(" ").includes(call.mode) ||
        (act.dataset.calls === "one" && others.length > 0) ||
        (act.dataset.calls === "two" && talking === 0);
      if (act.dataset.needs === "connection") act.disabled = !call.settled;
      if (act.id === "transfer" && call.transferring) act.disabled = true;
    }
    if (!fresh) return;
    if (call.mode === "incoming") element("answer").focus();
    else if (call.mode === "calling") element("hang-up").focus();
  }

  /** Have the keyboard go on with the active call. */
  private focusFirst(): void {
    for (const act of this.now.querySelectorAll<HTMLButtonElement>(".act")) {
      if (act.hidden || act.disabled) continue;
      act.focus();
      return;
    }
  }

  /** Say who calls, for whoever does not see the page: what only appears need not be read out. */
  private tell(): void {
    const ringing = this.calls.all.filter((call) => call.mode === "incoming");
    say("told", ringing.map((call) => `${call.who} is calling`).join(". "));
  }

  private showOthers(): void {
    const { others } = this.calls;
    const rows = new Map<Call, HTMLElement>();
    for (const call of others) {
      const row =
        this.rows.get(call) ??
        (this.pattern.content.firstElementChild?.cloneNode(true) as HTMLElement);
      rows.set(call, row);
      row.dataset.mode = call.mode;
      part(row, "who", call.who);
      part(row, "state", [stateOf(call), call.note].filter(Boolean).join(". "));
      for (const button of row.querySelectorAll<HTMLElement>("[data-act]")) {
        const name = button.dataset.act as OtherAct;
        button.hidden = !this.can(call, name);
        button.setAttribute("aria-label", `${button.textContent?.trim()}: ${call.who}`);
      }
      if (!row.isConnected) this.list.append(row);
    }
    for (const [call, row] of this.rows) if (!rows.has(call)) row.remove();
    this.rows = rows;
    this.list.hidden = others.length === 0;
  }

  private can(call: Call, act: OtherAct): boolean {
    if (act === "swap") return call.mode === "talking";
    if (act === "decline") return call.mode === "incoming";
    return call.mode === "incoming" && this.calls.active?.mode === "talking";
  }

  private hear(call: Call | null): void {
    const voice = call?.voice ?? null;
    if (this.voice.srcObject !== voice) this.voice.srcObject = voice;
  }
}

/** A call's state in words. */
export function stateOf(call: Call): string {
  if (call.mode === "incoming") return "Incoming call";
  if (call.mode === "calling") return call.rings ? "Ringing …" : "Calling …";
  if (call.broken) return "No sound connection. Trying again …";
  if (call.held) return "On hold";
  if (call.heldThere) return "Put on hold by the other side";
  return call.muted ? "Talking, microphone off" : "Talking";
}

/** Whether the keyboard's focus is nowhere: on what is hidden or taken away by now. */
function isGone(focused: Element | null): boolean {
  return !focused || focused === document.body || focused.getClientRects().length === 0;
}

function say(id: string, text: string): void {
  const place = element(id);
  // A status that is written anew is read out anew.
  if (place.textContent !== text) place.textContent = text;
}

function part(row: HTMLElement, name: string, text: string): void {
  const place = row.querySelector(`[data-part=${name}]`);
  if (place && place.textContent !== text) place.textContent = text;
}

function pressed(id: string, on: boolean): void {
  element(id).setAttribute("aria-pressed", String(on));
}
