import type { UA, URI } from "jssip";
import type { ReferEvent, RTCSession } from "jssip/lib/RTCSession";

import { dialogOf, type StoredDialog } from "./dialog";
import { isEarlyOnly, takeEarlyReplaces } from "./early-replaces";
import { mindGlare } from "./glare";
import { changeHold } from "./hold";
import { restartIce } from "./ice-restart";
import { endLateAnswers } from "./late-answers";
import { Mending } from "./mending";
import { closeMicrophone, followChoice } from "./microphone";
import { restoredSession } from "./restored-session";
import { askForTransfer, replacesUri } from "./transfer";
import { wordsForEnd } from "./words";

export type CallMode = "incoming" | "calling" | "talking";

/** What is left of a call when its page goes: enough for another one to go on with it. */
export interface KeptCall {
  dialog: StoredDialog;
  who: string;
  detail: string;
  since: number;
  muted: boolean;
  held: boolean;
}

export interface CallView {
  /** Something about the call is other than before. */
  changed(call: Call): void;
  /** The call is over; `words` say why if it did not just end. */
  gone(call: Call, words: string): void;
  /** The other side asks this one to call somebody else instead (RFC 3515). */
  referred(call: Call, event: ReferEvent): void;
  /** Somebody else takes the other side's place in this call (RFC 3891). */
  replaced(call: Call, event: ReferEvent): void;
  /** The connection to the server broke at a moment that ended the call here, but not there. */
  interrupted(call: Call, kept: KeptCall): void;
  /** Whether the server can be reached now. */
  isConnected(): boolean;
  /** Find out at once whether the connection to the server still lives. */
  probe(): void;
}

/** No servers for ICE: the addresses of this machine and of the telephone system are enough. */
const PEER: RTCConfiguration = { iceServers: [] };

const NOT_TAKEN = "The other phone does not take that.";

interface EndOfCall {
  originator: string;
  cause: string;
  message?: { status_code?: number } | null;
}

/** One call of this page. */
export class Call {
  mode: CallMode;
  /** The number of our own whose name is not known yet, "" for none. */
  number = "";
  rings = false;
  since = 0;
  muted = false;
  held = false;
  heldThere = false;
  /** What is being done about the call at the moment, "" for nothing. */
  note = "";
  /** Whether the other side was asked to call somebody else and has not told how that went. */
  transferring = false;
  voice: MediaStream | null = null;
  microphone: MediaStream | null = null;
  private session: RTCSession | null = null;
  private wantsHold = false;
  private over = false;
  private kept: KeptCall | null = null;
  private readonly mending = new Mending({
    isConnected: () => this.view.isConnected(),
    probe: () => this.view.probe(),
    restart: () => this.restart(),
    changed: () => this.view.changed(this),
    giveUp: () => this.giveUp(),
  });

  private constructor(
    public who: string,
    public detail: string,
    mode: CallMode,
    private readonly view: CallView,
  ) {
    this.mode = mode;
  }

  static out(ua: UA, target: string, microphone: MediaStream, view: CallView): Call {
    const call = new Call(target, "", "calling", view);
    call.number = target;
    call.microphone = microphone;
    const session = ua.call(target, {
      mediaStream: microphone,
      pcConfig: PEER,
      eventHandlers: { peerconnection: (event) => call.listen(event.peerconnection) },
    }) as unknown as RTCSession;
    call.watch(session);
    return call;
  }

  static incoming(session: RTCSession, view: CallView): Call {
    const { display_name: name, uri } = session.remote_identity;
    const call = new Call(name || uri.user, name ? uri.user : "", "incoming", view);
    if (!name && uri.host === session.local_identity.uri.host) call.number = uri.user;
    session.on("peerconnection", (event) => call.listen(event.peerconnection));
    call.watch(session);
    return call;
  }

  /** Call whom the other side of `call` named. */
  static referred(call: Call, event: ReferEvent, microphone: MediaStream, view: CallView): Call {
    const { refer_to: target } = event.request as unknown as { refer_to: { uri: URI } };
    const next = new Call(target.uri.user, "", "calling", view);
    next.microphone = microphone;
    next.number = target.uri.user;
    next.note = `Transferred by ${call.who}`;
    event.accept((session: RTCSession) => next.watch(session), {
      mediaStream: microphone,
      pcConfig: PEER,
      eventHandlers: {
        peerconnection: (made: { peerconnection: RTCPeerConnection }) =>
          next.listen(made.peerconnection),
      },
    });
    return next;
  }

  /** Go on with the call of a page that is gone, by an offer within its dialog. */
  static resumed(ua: UA, kept: KeptCall, microphone: MediaStream, view: CallView): Call {
    const call = new Call(kept.who, kept.detail, "talking", view);
    call.microphone = microphone;
    call.since = kept.since;
    const session = restoredSession(ua, kept, microphone, PEER, (connection) =>
      call.listen(connection),
    );
    call.held = call.wantsHold = kept.held;
    call.watch(session);
    if (kept.muted) call.toggleMute();
    session.renegotiate();
    return call;
  }

  /** End the call of a page that is gone. */
  static farewell(ua: UA, kept: KeptCall): void {
    restoredSession(ua, kept, null, PEER, () => {}).terminate();
  }

  /** Whether the call is over for this page, whatever the other side knows of it. */
  get isOver(): boolean {
    return this.over;
  }

  /** Whether nothing can be heard at the moment, and it is being mended. */
  get broken(): boolean {
    return this.mending.broken;
  }

  /** Whether the call can be held, transferred and so on. */
  get settled(): boolean {
    return this.mode === "talking" && !this.broken && this.view.isConnected();
  }

  /** Show the name of whoever has that number. */
  rename(name: string): void {
    this.detail = this.number;
    this.who = name;
    this.view.changed(this);
  }

  answer(microphone: MediaStream): void {
    if (this.over || this.microphone) {
      closeMicrophone(microphone);
      return;
    }
    this.microphone = microphone;
    this.session?.answer({ mediaStream: microphone, pcConfig: PEER });
  }

  decline(): void {
    this.session?.terminate({ status_code: 603, reason_phrase: "Decline" });
  }

  hangUp(): void {
    if (this.over) return;
    if (this.session && !this.session.isEnded()) this.session.terminate();
    else this.end("");
  }

  toggleMute(): void {
    this.muted = !this.muted;
    if (this.muted) this.session?.mute({ audio: true });
    else this.session?.unmute({ audio: true });
    this.view.changed(this);
  }

  /** Hold or take back; while another change is on its way to the other side it is done after it. */
  hold(wanted: boolean): void {
    this.wantsHold = wanted;
    if (this.note === NOT_TAKEN) this.note = "";
    this.settle();
  }

  /** Do what could not be done yet. To be called now and then. */
  settle(): void {
    const session = this.session;
    if (this.over || !session?.isEstablished()) return;
    this.kept = this.keep();
    this.mending.tick();
    if (!this.view.isConnected() || this.wantsHold === session.isOnHold().local) return;
    changeHold(session, this.wantsHold, () => {
      this.wantsHold = !this.wantsHold;
      this.note = NOT_TAKEN;
      this.view.changed(this);
    });
  }

  /** The server can be reached again, perhaps by another network: the sound may need another way. */
  reconnected(): void {
    if (this.mode === "talking") this.mending.restartNow();
  }

  /** Send a key's tone: as RFC 4733 events where the other side takes them, else by INFO. */
  press(key: string): void {
    const session = this.session;
    if (!session?.isEstablished()) return;
    const sender = session.connection.getSenders().find((each) => each.dtmf?.canInsertDTMF);
    if (sender?.dtmf) sender.dtmf.insertDTMF(sender.dtmf.toneBuffer + key, 120, 70);
    else session.sendDTMF(key);
  }

  /** Ask the other side to call `target` instead; `target` may be another call, to be replaced. */
  transfer(target: string | Call): void {
    const session = this.session;
    if (!session?.isEstablished()) return;
    const uri = target instanceof Call ? target.session && replacesUri(target.session) : target;
    if (!uri) return;
    this.note = "Transferring …";
    this.transferring = true;
    this.view.changed(this);
    askForTransfer(session, uri, (done, words) => {
      this.note = words;
      this.transferring = false;
      if (done) this.hangUp();
      else this.view.changed(this);
    });
  }

  /** What another page needs to go on with this call; null if it is not established. */
  keep(): KeptCall | null {
    const dialog = this.session && this.mode === "talking" ? dialogOf(this.session) : null;
    const { who, detail, since, muted, held } = this;
    return dialog && { dialog, who, detail, since, muted, held };
  }

  /** Let go of the call without a word to the other side. */
  leave(): void {
    this.over = true;
    this.mending.stop();
    closeMicrophone(this.microphone);
    this.session?.connection?.close();
  }

  private restart(): boolean {
    return this.session ? restartIce(this.session) : false;
  }

  private giveUp(): void {
    this.session?.terminate({ status_code: 408, reason_phrase: "No sound any more" });
    this.end("The connection was lost.");
  }

  private listen(connection: RTCPeerConnection): void {
    this.mending.watch(connection);
    followChoice(connection);
    connection.addEventListener("track", (event) => {
      this.voice = event.streams[0] ?? new MediaStream([event.track]);
      this.view.changed(this);
    });
  }

  private watch(session: RTCSession): void {
    this.session = session;
    endLateAnswers(session);
    mindGlare(session);
    session.on("progress", () => {
      this.rings = true;
      this.view.changed(this);
    });
    session.on("accepted", () => this.talk());
    session.on("confirmed", () => this.talk());
    for (const change of ["hold", "unhold"] as const) {
      session.on(change, () => {
        const { local, remote } = session.isOnHold();
        this.held = local;
        this.heldThere = remote;
        this.view.changed(this);
      });
    }
    session.on("refer", (event) => this.view.referred(this, event));
    session.on("replaces", (event) => {
      if (isEarlyOnly(event)) event.reject();
      else this.view.replaced(this, event);
    });
    takeEarlyReplaces(session, (event) => this.view.replaced(this, event));
    session.on("ended", (event) => this.endOf(event as unknown as EndOfCall, true));
    session.on("failed", (event) => this.endOf(event as unknown as EndOfCall, false));
  }

  private talk(): void {
    if (this.over || this.mode === "talking") return;
    this.mode = "talking";
    this.note = "";
    this.since = Date.now();
    this.view.changed(this);
  }

  private endOf({ originator, cause, message }: EndOfCall, established: boolean): void {
    if (cause === "Connection Error" && this.kept && !this.over) {
      const kept = this.kept;
      this.leave();
      this.view.interrupted(this, kept);
    } else if (established && cause !== "No ACK" && (originator === "remote" || cause === "Terminated"))
      this.end("");
    else this.end(wordsForEnd(cause, message?.status_code ?? 0));
  }

  private end(words: string): void {
    if (this.over) return;
    this.over = true;
    this.mending.stop();
    closeMicrophone(this.microphone);
    this.view.gone(this, words);
  }
}
