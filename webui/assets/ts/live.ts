import { setServerClock, tickDurations } from "./durations";
import { readPartial } from "./partial";

const COALESCE_MS = 250; // at most four reads a second, however much happens
const POLL_CONNECTED_MS = 5000; // hints can be lost: what is shown is never older than this
const POLL_ALONE_MS = 2500; // without the socket, polling is all there is
const LATE_MS = 12_000; // two polls and a bit missed: the reader must know
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 10_000;
const TELL_LOSS_AFTER_MS = 4000; // a restart of the web side is not worth a spoken word

/**
 * Keeps `region` like the server's data. The socket only says that something changed; the data is
 * always read again, so a lost hint, a restart or a sleeping laptop costs a few seconds, no truth.
 */
export class LiveView {
  private readonly source: string;
  private readonly line = document.getElementById("connection");
  private readonly error = document.getElementById("live-error");
  private readonly voice = document.getElementById("announce");
  private connected = false;
  private lostAt: number | null = null;
  private lossTold = false;
  private retryMs = RETRY_FIRST_MS;
  private reading = false;
  private readAgain = false;
  private timer: number | undefined;
  private failed = false;
  private startedReadAt = 0;
  private updatedAt = Date.now();
  private ringing: Set<string>;

  constructor(private readonly region: HTMLElement) {
    this.source = region.dataset.source ?? location.pathname;
    this.ringing = new Set(this.ringingRows().keys());
  }

  start(): void {
    setServerClock(this.region.querySelector("[data-now]"));
    this.connect();
    setInterval(() => this.everySecond(), 1000);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.changed();
    });
    document.getElementById("live-retry")?.addEventListener("click", () => this.changed());
    this.show();
  }

  private connect(): void {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws/live/`);
    socket.onopen = () => {
      this.connected = true;
      this.retryMs = RETRY_FIRST_MS;
      if (this.lossTold) this.say("Connected again.");
      this.lostAt = null;
      this.lossTold = false;
      this.changed(); // whatever happened meanwhile was not told
    };
    socket.onmessage = () => this.changed();
    socket.onclose = () => {
      this.connected = false;
      this.lostAt ??= Date.now();
      setTimeout(() => this.connect(), this.retryMs * (0.75 + Math.random() / 2));
      this.retryMs = Math.min(this.retryMs * 2, RETRY_MOST_MS);
      this.show();
    };
  }

  /** Something changed: read soon, together with whatever else changes until then. */
  private changed(): void {
    if (this.reading) {
      this.readAgain = true;
      return;
    }
    if (document.hidden || this.timer !== undefined) return;
    const wait = Math.max(0, this.startedReadAt + COALESCE_MS - Date.now());
    this.timer = setTimeout(() => void this.read(), wait);
  }

  private async read(): Promise<void> {
    this.timer = undefined;
    this.reading = true;
    this.startedReadAt = Date.now();
    try {
      await readPartial(this.source, this.region, "innerMorph");
      this.failed = false;
      this.updatedAt = Date.now();
      setServerClock(this.region.querySelector("[data-now]"));
      tickDurations(this.region);
      this.tellNewlyRinging();
    } catch {
      this.failed = true;
    } finally {
      this.reading = false;
      this.show();
    }
    if (this.readAgain) {
      this.readAgain = false;
      this.changed();
    }
  }

  private everySecond(): void {
    const every = this.connected ? POLL_CONNECTED_MS : POLL_ALONE_MS;
    if (Date.now() - this.startedReadAt >= every) this.changed();
    if (this.lostAt !== null && !this.lossTold && Date.now() - this.lostAt > TELL_LOSS_AFTER_MS) {
      this.lossTold = true;
      this.say("Connection lost. What is shown may be old.");
    }
    this.show();
  }

  private show(): void {
    const age = Date.now() - this.updatedAt;
    const ago = age < 1500 ? "just now" : `${Math.round(age / 1000)} s ago`;
    let [state, text] = ["live", `Connected, updated ${ago}`];
    if (this.failed) [state, text] = ["lost", `No answer from the server, last update ${ago}`];
    else if (age > LATE_MS) [state, text] = ["late", `Late, last update ${ago}`];
    else if (!this.connected) [state, text] = ["polling", `Connecting, updated ${ago}`];
    if (this.line) {
      this.line.dataset.state = state;
      const words = this.line.querySelector(".words");
      if (words && words.textContent !== text) words.textContent = text;
    }
    if (this.error) this.error.hidden = !this.failed;
    this.region.classList.toggle("stale", this.failed || age > LATE_MS);
  }

  private ringingRows(): Map<string, string> {
    const rows = this.region.querySelectorAll<HTMLElement>("tr[data-ringing]");
    return new Map([...rows].map((row) => [row.id, row.dataset.ringing ?? ""]));
  }

  private tellNewlyRinging(): void {
    const rows = this.ringingRows();
    const fresh = [...rows].filter(([id]) => !this.ringing.has(id)).map(([, text]) => text);
    this.ringing = new Set(rows.keys());
    // More than three at once would only be noise to listen to.
    if (fresh.length > 3) this.say(`${fresh.length} calls ringing`);
    else if (fresh.length) this.say(fresh.join(". "));
  }

  private say(text: string): void {
    if (this.voice) this.voice.textContent = text;
  }
}
