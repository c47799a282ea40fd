import { UA, WebSocketInterface } from "jssip";

import { type Credential, fetchCredential, NotAllowed } from "./credential";

export type LineState = "connecting" | "ready" | "away" | "refused";

const REGISTERED_S = 300;
/** How long before a credential ends the next one is asked for: a registration's life and some. */
const AHEAD_S = 240;
const FIRST_WAIT_S = 2;
const LONGEST_WAIT_S = 30;

/**
 * The page's registration: kept up while the page is open, through lost connections and with a new
 * credential every few minutes. `onState` hears of changes, `onOut` that the log-in is over.
 */
export class Line {
  ua: UA | null = null;
  private renewal = 0;
  private wait = FIRST_WAIT_S;
  private over = false;

  constructor(
    private readonly address: string,
    private readonly onState: (state: LineState) => void,
    private readonly onOut: () => void,
    private readonly onNewUa: (ua: UA) => void,
  ) {}

  /** Get a credential and register; again later if that fails. */
  async renew(): Promise<void> {
    clearTimeout(this.renewal);
    if (this.over) return;
    try {
      const credential = await fetchCredential(this.address);
      if (this.over) return;
      this.use(credential);
      this.renewal = window.setTimeout(
        () => void this.renew(),
        (credential.seconds - AHEAD_S) * 1000,
      );
    } catch (error) {
      if (error instanceof NotAllowed) {
        this.stop();
        this.onOut();
        return;
      }
      if (!this.ua?.isRegistered()) this.onState("away");
      this.renewLater();
    }
  }

  /** End the calls and the registration. */
  stop(): void {
    this.over = true;
    clearTimeout(this.renewal);
    this.ua?.stop();
  }

  private renewLater(): void {
    clearTimeout(this.renewal);
    this.renewal = window.setTimeout(() => void this.renew(), this.wait * 1000);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT_S);
  }

  private use(credential: Credential): void {
    if (this.ua) {
      this.ua.set("authorization_user", credential.username);
      this.ua.set("ha1", credential.ha1);
      if (this.ua.isConnected() && !this.ua.isRegistered()) this.ua.register();
      return;
    }
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const ua = new UA({
      sockets: [new WebSocketInterface(`${scheme}://${location.host}/sip`)],
      uri: credential.uri,
      display_name: credential.name,
      authorization_user: credential.username,
      realm: credential.realm,
      ha1: credential.ha1,
      register_expires: REGISTERED_S,
      connection_recovery_min_interval: FIRST_WAIT_S,
      connection_recovery_max_interval: LONGEST_WAIT_S,
      session_timers: false,
      user_agent: "Branchline web phone",
    });
    this.ua = ua;
    ua.on("connecting", () => this.onState("connecting"));
    ua.on("disconnected", () => this.onState("away"));
    ua.on("registered", () => {
      this.wait = FIRST_WAIT_S;
      this.onState("ready");
    });
    ua.on("registrationFailed", () => {
      if (this.over || !ua.isConnected()) return;
      this.onState("refused");
      this.renewLater();
    });
    this.onNewUa(ua);
    ua.start();
  }
}
