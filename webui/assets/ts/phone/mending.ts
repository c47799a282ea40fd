/** What mending a call's sound needs of the call. */
export interface Mendable {
  isConnected(): boolean;
  probe(): void;
  /** Offer new ICE credentials (RFC 8445 §9); false if that cannot be done just now. */
  restart(): boolean;
  changed(): void;
  giveUp(): void;
}

/** The system ends a call of which it hears nothing for so long (RFC 7675); so does this page. */
const LOST_MS = 30_000;
/** Between two tries: checks over a new path take a second or two. */
const AGAIN_MS = 5_000;

/** Watches one call's sound connection and mends it by ICE restarts when the network has changed. */
export class Mending {
  broken = false;
  private brokenAt = 0;
  private triedAt = 0;
  private wanted = false;
  private over = false;

  constructor(private readonly call: Mendable) {}

  watch(connection: RTCPeerConnection): void {
    connection.addEventListener(
      "iceconnectionstatechange",
      (event) => {
        const state = connection.iceConnectionState;
        // JsSIP would end the call. Listeners that capture are asked first.
        if (state === "failed") event.stopImmediatePropagation();
        if (this.over) return;
        if (state === "connected" || state === "completed") this.mended();
        else if (state === "disconnected" || state === "failed") this.lost();
      },
      { capture: true },
    );
  }

  /** Restart as soon as it can be done, be the sound lost yet or not. */
  restartNow(): void {
    this.wanted = true;
    this.tick();
  }

  tick(): void {
    if (this.over) return;
    const now = Date.now();
    if (this.broken && now - this.brokenAt > LOST_MS) {
      this.stop();
      this.call.giveUp();
      return;
    }
    if (this.broken && now - this.triedAt > AGAIN_MS) {
      this.triedAt = now;
      this.wanted = true;
      this.call.probe();
    }
    if (this.wanted && this.call.isConnected() && this.call.restart()) this.wanted = false;
  }

  stop(): void {
    this.over = true;
  }

  private mended(): void {
    this.wanted = false;
    if (!this.broken) return;
    this.broken = false;
    this.call.changed();
  }

  private lost(): void {
    if (this.broken) return;
    this.broken = true;
    this.brokenAt = Date.now();
    this.call.changed();
  }
}
