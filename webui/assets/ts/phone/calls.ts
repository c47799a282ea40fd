import type { UA } from "jssip";
import type { ReferEvent, RTCSession } from "jssip/lib/RTCSession";

import { Call, type CallView, type KeptCall } from "./call";
import { anotherMicrophone, closeMicrophone } from "./microphone";

export interface CallsView {
  /** Which calls there are, or something about one of them, is other than before. */
  changed(): void;
  /** There is one more call. */
  came(call: Call): void;
  /** A call is over; `words` say why if it did not just end. */
  gone(call: Call, words: string): void;
  /** A call was cut off from the server and may go on when that is there again. */
  interrupted(kept: KeptCall): void;
  isConnected(): boolean;
  probe(): void;
}

/** One that talks, one that is held: more than that a person loses track of. */
const MOST_CALLS = 2;

/** The calls of this page. One of them is `active`: it is heard, and the buttons are about it. */
export class Calls implements CallView {
  active: Call | null = null;
  private list: Call[] = [];
  /** Sessions that take the place of a call, from before they are told of. */
  private readonly replacing = new WeakMap<RTCSession, Call>();

  constructor(private readonly view: CallsView) {}

  get others(): Call[] {
    return this.list.filter((call) => call !== this.active);
  }

  get all(): readonly Call[] {
    return this.list;
  }

  /** Whether one more can be begun. */
  get hasRoom(): boolean {
    return this.list.length < MOST_CALLS && this.list.every((call) => call.mode === "talking");
  }

  /** Call somebody; whom one talks to is held. Throws if `target` is no address. */
  dial(ua: UA, target: string, microphone: MediaStream): void {
    const call = Call.out(ua, target, microphone, this);
    this.active?.hold(true);
    this.add(call);
    this.active = call;
    this.view.changed();
  }

  /** Take or refuse what the server brings. */
  take(session: RTCSession): void {
    const before = this.replacing.get(session);
    if (before) return this.takePlace(before, session);
    if (this.list.length >= MOST_CALLS) {
      session.terminate({ status_code: 486, reason_phrase: "Busy Here" });
      return;
    }
    const call = Call.incoming(session, this);
    this.add(call);
    this.active ??= call;
    this.view.changed();
  }

  /** Answer it, unless it is over by now: opening a microphone may take the person a while. */
  answer(call: Call, microphone: MediaStream): void {
    if (call.isOver) return closeMicrophone(microphone);
    if (call !== this.active) this.active?.hold(true);
    this.active = call;
    call.answer(microphone);
    this.view.changed();
  }

  /** Talk to the held one, hold the other. */
  swapTo(call: Call): void {
    if (call === this.active || call.mode !== "talking") return;
    this.active?.hold(true);
    this.active = call;
    call.hold(false);
    this.view.changed();
  }

  /** Join the two whom one talks to and leave (RFC 5589 §7). */
  join(): void {
    const [other] = this.others;
    if (this.active && other && !other.transferring) other.transfer(this.active);
  }

  /** Go on with the call of an earlier page; on hold if somebody else is talked to by now. */
  resume(ua: UA, kept: KeptCall, microphone: MediaStream): void {
    const held = kept.held || this.active?.held === false;
    const call = Call.resumed(ua, { ...kept, held }, microphone, this);
    this.add(call);
    if (!this.active || (this.active.held && !held)) this.active = call;
    this.view.changed();
  }

  /** What another page needs to go on with all of them. */
  keep(): KeptCall[] {
    return this.list.flatMap((call) => call.keep() ?? []);
  }

  /** Let go of the established calls without a word to the other sides; end the rest. */
  leave(): void {
    for (const call of this.list) {
      if (call.mode === "talking") call.leave();
      else call.hangUp();
    }
    this.list = [];
    this.active = null;
  }

  settle(): void {
    for (const call of this.list) call.settle();
  }

  reconnected(): void {
    for (const call of this.list) call.reconnected();
  }

  // ---------------------------------------------------------------- what a call tells

  changed(): void {
    this.view.changed();
  }

  gone(call: Call, words: string): void {
    this.remove(call);
    this.view.gone(call, words);
  }

  interrupted(call: Call, kept: KeptCall): void {
    this.remove(call);
    this.view.interrupted(kept);
  }

  referred(call: Call, event: ReferEvent): void {
    if (!call.microphone) return event.reject();
    const microphone = anotherMicrophone(call.microphone);
    const next = Call.referred(call, event, microphone, this);
    this.add(next);
    if (call === this.active) this.active = next;
    this.view.changed();
  }

  replaced(call: Call, event: ReferEvent): void {
    event.accept((session: RTCSession) => this.replacing.set(session, call));
  }

  isConnected(): boolean {
    return this.view.isConnected();
  }

  probe(): void {
    this.view.probe();
  }

  /** Who was talked to has handed the call to somebody else: nobody need answer. */
  private takePlace(before: Call, session: RTCSession): void {
    const call = Call.incoming(session, this);
    this.add(call);
    if (before === this.active) this.active = call;
    if (before.microphone) call.answer(anotherMicrophone(before.microphone));
    this.view.changed();
  }

  private add(call: Call): void {
    this.list.push(call);
    this.view.came(call);
  }

  private remove(call: Call): void {
    this.list = this.list.filter((each) => each !== call);
    if (this.active === call) {
      // Whoever rings comes before whoever waits.
      this.active = this.list.find((each) => each.mode !== "talking") ?? this.list[0] ?? null;
    }
  }
}
