import { UA } from "jssip";

import { type Credential, fetchCredential, NotAllowed, type Refusal } from "./credential";
import { type Device } from "./device";
import { LiveSocket } from "./live-socket";

/** "expired": the credential had run out, as after a long sleep; the next one is under way. */
export type LineState = "connecting" | "ready" | "away" | "refused" | "expired";

export interface LineView {
  state(state: LineState): void;
  /** There is no further credential, for now. */
  out(why: Refusal): void;
  /** After `out`: there is one again. */
  back(): void;
  began(ua: UA): void;
}

const REGISTERED_S = 300;
/** How long before a credential ends the next one is asked for: a registration's life and some. */
const AHEAD_S = 240;
const FIRST_WAIT_S = 2;
const LONGEST_WAIT_S = 30;
/** Between tries to connect again: a call waits for it no longer than 30 seconds. */
const LONGEST_RECOVERY_S = 8;

/**
 * The page's registration: kept up while the page is open, through lost connections and with a new
 * credential every few minutes.
 */
export class Line {
  ua: UA | null = null;
  private renewal = 0;
  private wait = FIRST_WAIT_S;
  private endsAt = 0;
  private socket: LiveSocket | null = null;
  private over = false;
  /** Why there is no further credential: what is registered goes on until that ends. */
  private refused: Refusal | "" = "";
  private uri = "";

  constructor(
    private readonly address: string,
    private readonly device: Device,
    private readonly view: LineView,
  ) {}

  get isConnected(): boolean {
    return !this.over && (this.ua?.isConnected() ?? false);
  }

  /** Find out at once whether the connection still lives, and whether somebody logged in again. */
  probe(): void {
    this.socket?.probe();
    if (this.refused) void this.renew();
  }

  /** Get a credential and register; again later if that fails. */
  async renew(): Promise<void> {
    clearTimeout(this.renewal);
    if (this.over) return;
    try {
      const credential = await fetchCredential(this.address);
      if (this.over) return;
      this.use(credential);
      if (this.refused) {
        this.refused = "";
        this.view.back();
      }
      this.renewal = window.setTimeout(
        () => void this.renew(),
        (credential.seconds - AHEAD_S) * 1000,
      );
    } catch (error) {
      if (error instanceof NotAllowed) {
        const known = this.refused === error.why;
        this.refused = error.why;
        if (!known) this.view.out(error.why);
        this.wait = LONGEST_WAIT_S;
      } else if (!this.refused && !this.ua?.isRegistered()) this.view.state("away");
      this.renewLater();
    }
  }

  /** End the calls and the registration. */
  stop(): void {
    this.over = true;
    clearTimeout(this.renewal);
    this.ua?.stop();
  }

  /** Let go of everything without a word to anybody: another page goes on with it. */
  leave(): void {
    this.over = true;
    clearTimeout(this.renewal);
    (this.ua as unknown as { transport: { disconnect(): void } } | null)?.transport.disconnect();
  }

  private tell(state: LineState): void {
    if (!this.over && !this.refused) this.view.state(state);
  }

  private renewLater(): void {
    clearTimeout(this.renewal);
    this.renewal = window.setTimeout(() => void this.renew(), this.wait * 1000);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT_S);
  }

  private use(credential: Credential): void {
    // Another of the person's extensions: this one is not theirs any more.
    if (this.ua && credential.uri !== this.uri) throw new NotAllowed("no-extension");
    this.uri = credential.uri;
    this.endsAt = Date.now() + credential.seconds * 1000;
    if (this.ua) {
      this.ua.set("authorization_user", credential.username);
      this.ua.set("ha1", credential.ha1);
      if (this.ua.isConnected() && !this.ua.isRegistered()) this.ua.register();
      return;
    }
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new LiveSocket(
      `${scheme}://${location.host}/sip`,
      `sip:${location.host};transport=ws`,
    );
    const ua = new UA({
      sockets: [this.socket],
      uri: credential.uri,
      display_name: credential.name,
      authorization_user: credential.username,
      realm: credential.realm,
      ha1: credential.ha1,
      contact_uri: this.device.contact,
      instance_id: this.device.instance,
      register_expires: REGISTERED_S,
      connection_recovery_min_interval: FIRST_WAIT_S,
      connection_recovery_max_interval: LONGEST_RECOVERY_S,
      session_timers: false,
      user_agent: "Branchline web phone",
    });
    this.ua = ua;
    ua.on("connecting", () => this.tell("connecting"));
    ua.on("disconnected", () => this.tell("away"));
    ua.on("registered", () => {
      this.wait = FIRST_WAIT_S;
      this.tell("ready");
    });
    ua.on("registrationFailed", () => {
      if (this.over || this.refused || !ua.isConnected()) return;
      const expired = Date.now() >= this.endsAt;
      this.view.state(expired ? "expired" : "refused");
      if (expired) void this.renew();
      else this.renewLater();
    });
    this.view.began(ua);
    ua.start();
  }
}
