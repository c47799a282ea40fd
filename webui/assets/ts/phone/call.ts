import type { UA } from "jssip";
import type { RTCSession } from "jssip/lib/RTCSession";

import { closeMicrophone } from "./microphone";
import { wordsForEnd } from "./words";

export type CallMode = "incoming" | "calling" | "talking";

export interface CallView {
  /** Show the call as it is now. */
  show(call: Call): void;
  /** Play what the other side says. */
  hear(voice: MediaStream): void;
  /** The call is over; `words` say why if it did not just end. */
  gone(call: Call, words: string): void;
}

/** No servers for ICE: the addresses of this machine and of the telephone system are enough. */
const PEER: RTCConfiguration = { iceServers: [] };

interface EndOfCall {
  cause: string;
  message?: { status_code?: number } | null;
}

/** One call of this page. */
export class Call {
  mode: CallMode;
  rings = false;
  since = 0;
  muted = false;
  held = false;
  heldThere = false;
  private session: RTCSession | null = null;
  private microphone: MediaStream | null = null;
  private over = false;

  private constructor(
    readonly who: string,
    readonly detail: string,
    mode: CallMode,
    private readonly view: CallView,
  ) {
    this.mode = mode;
  }

  static out(ua: UA, target: string, microphone: MediaStream, view: CallView): Call {
    const call = new Call(target, "", "calling", view);
    call.microphone = microphone;
    view.show(call);
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
    session.on("peerconnection", (event) => call.listen(event.peerconnection));
    call.watch(session);
    view.show(call);
    return call;
  }

  answer(microphone: MediaStream): void {
    if (this.over) {
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
    this.view.show(this);
  }

  toggleHold(): void {
    // Told by an event; nothing happens while an earlier change is on its way to the other side.
    if (this.held) this.session?.unhold();
    else this.session?.hold();
  }

  /** Send a key's tone: as RFC 4733 events where the other side takes them, else by INFO. */
  press(key: string): void {
    const session = this.session;
    if (!session?.isEstablished()) return;
    const sender = session.connection.getSenders().find((each) => each.dtmf?.canInsertDTMF);
    if (sender?.dtmf) sender.dtmf.insertDTMF(sender.dtmf.toneBuffer + key, 120, 70);
    else session.sendDTMF(key);
  }

  private listen(connection: RTCPeerConnection): void {
    connection.addEventListener("track", (event) => {
      this.view.hear(event.streams[0] ?? new MediaStream([event.track]));
    });
  }

  private watch(session: RTCSession): void {
    this.session = session;
    session.on("progress", () => {
      this.rings = true;
      this.view.show(this);
    });
    session.on("accepted", () => this.talk());
    session.on("confirmed", () => this.talk());
    for (const change of ["hold", "unhold"] as const) {
      session.on(change, () => {
        const { local, remote } = session.isOnHold();
        this.held = local;
        this.heldThere = remote;
        this.view.show(this);
      });
    }
    session.on("ended", () => this.end(""));
    session.on("failed", (event) => {
      const { cause, message } = event as unknown as EndOfCall;
      this.end(wordsForEnd(cause, message?.status_code ?? 0));
    });
  }

  private talk(): void {
    if (this.over || this.mode === "talking") return;
    this.mode = "talking";
    this.since = Date.now();
    this.view.show(this);
  }

  private end(words: string): void {
    if (this.over) return;
    this.over = true;
    closeMicrophone(this.microphone);
    this.view.gone(this, words);
  }
}
