const RETRY_FIRST_MS = 1000;
const RETRY_MOST_MS = 30_000;
const AT_MOST_EVERY_MS = 2000;
const POLL_CONNECTED_MS = 30_000; // hints can be lost
const POLL_ALONE_MS = 10_000;

/**
 * Calls `changed` soon after the server hints that calls or phones changed, and now and then without
 * a hint; never while the page is out of sight.
 */
export class Hints {
  private connected = false;
  private retryMs = RETRY_FIRST_MS;
  private toldAt = 0;
  private timer = 0;

  constructor(private readonly changed: () => void) {}

  start(): void {
    this.connect();
    setInterval(() => {
      const every = this.connected ? POLL_CONNECTED_MS : POLL_ALONE_MS;
      if (Date.now() - this.toldAt >= every) this.soon();
    }, AT_MOST_EVERY_MS);
    document.addEventListener("visibilitychange", () => this.soon());
  }

  private connect(): void {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws/phone/`);
    socket.onopen = () => {
      this.connected = true;
      this.retryMs = RETRY_FIRST_MS;
      this.soon(); // what happened meanwhile was not told
    };
    socket.onmessage = () => this.soon();
    socket.onclose = () => {
      this.connected = false;
      setTimeout(() => this.connect(), this.retryMs * (0.75 + Math.random() / 2));
      this.retryMs = Math.min(2 * this.retryMs, RETRY_MOST_MS);
    };
  }

  private soon(): void {
    if (document.hidden || this.timer) return;
    const wait = Math.max(0, this.toldAt + AT_MOST_EVERY_MS - Date.now());
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.toldAt = Date.now();
      this.changed();
    }, wait);
  }
}
