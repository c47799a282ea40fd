import type { Socket } from "jssip";

/** How long a new connection may take, and the answer to a probe. */
const OPEN_MS = 8_000;
const PONG_MS = 3_000;
/** Nothing was heard for so long: ask. Below what proxies and NATs give an idle connection. */
const QUIET_MS = 25_000;
const PING = "\r\n\r\n";
const CLOSED_ABNORMALLY = 1006;

/**
 * SIP over WebSocket (RFC 7118) that finds out whether its connection still lives, by the keep-alive
 * of RFC 5626 §4.4.1: after a change of network a browser would not notice for minutes.
 */
export class LiveSocket implements Socket {
  via_transport: string;
  onconnect: () => void = () => {};
  ondisconnect: (error: boolean, code?: number, reason?: string) => void = () => {};
  ondata: <T>(event: T) => void = () => {};
  private socket: WebSocket | null = null;
  private opening = 0;
  private pong = 0;
  private quiet = 0;

  constructor(
    readonly url: string,
    readonly sip_uri: string,
  ) {
    this.via_transport = url.startsWith("wss:") ? "WSS" : "WS";
  }

  connect(): void {
    if (this.isConnected() || this.isConnecting()) return;
    this.drop();
    const socket = new WebSocket(this.url, "sip");
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      clearTimeout(this.opening);
      this.heard();
      this.onconnect();
    };
    socket.onclose = ({ wasClean, code, reason }) => {
      this.drop();
      this.ondisconnect(!wasClean, code, reason);
    };
    socket.onmessage = ({ data }) => {
      this.heard();
      this.ondata(data);
    };
    this.opening = window.setTimeout(() => this.lost("no answer"), OPEN_MS);
  }

  disconnect(): void {
    this.drop();
  }

  send(message: string | ArrayBufferLike | Blob | ArrayBufferView): boolean {
    if (!this.isConnected()) return false;
    this.socket?.send(message as string);
    return true;
  }

  isConnected(): boolean {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  isConnecting(): boolean {
    return this.socket?.readyState === WebSocket.CONNECTING;
  }

  /** Ask the server for a sign of life; without one the connection counts as lost. */
  probe(): void {
    if (!this.isConnected() || this.pong) return;
    this.socket?.send(PING);
    this.pong = window.setTimeout(() => this.lost("silent"), PONG_MS);
  }

  private heard(): void {
    clearTimeout(this.pong);
    clearTimeout(this.quiet);
    this.pong = 0;
    this.quiet = window.setTimeout(() => this.probe(), QUIET_MS);
  }

  private lost(reason: string): void {
    this.drop();
    this.ondisconnect(true, CLOSED_ABNORMALLY, reason);
  }

  private drop(): void {
    for (const timer of [this.opening, this.pong, this.quiet]) clearTimeout(timer);
    this.pong = 0;
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onclose = socket.onmessage = null;
    socket.close();
  }
}
