import type { UA } from "jssip";
import type { ReferEvent, RTCSession } from "jssip/lib/RTCSession";
import * as sessionModule from "jssip/lib/RTCSession";

/** A request as JsSIP has it; its version is fixed by the lock file. */
interface Request {
  method: string;
  hasHeader(name: string): boolean;
  getHeader(name: string): string | undefined;
  reply(status: number): void;
}

interface Inside {
  _ua: UA;
  receiveRequest(request: Request): void;
}

interface Fresh {
  on(event: "confirmed", listener: () => void): void;
  init_incoming(request: Request, begun: (session: RTCSession) => void): void;
}

// A CommonJS module whose only export is the class.
const Session = (sessionModule as unknown as { default: new (ua: UA) => Fresh }).default;

/**
 * Have an INVITE with Replaces that names `session` before it is answered treated as RFC 3891 §3 wants;
 * JsSIP says 403. A call that this side began is given to `replaced`, as `replaces` of an answered one
 * is; one that rings here is not ours to give away: 481.
 */
export function takeEarlyReplaces(session: RTCSession, replaced: (event: ReferEvent) => void): void {
  const inside = session as unknown as Inside;
  const receive = inside.receiveRequest.bind(session);
  inside.receiveRequest = (request) => {
    const early = !session.isEstablished() && !session.isEnded();
    if (!early || request.method !== "INVITE" || !request.hasHeader("replaces")) {
      receive(request);
    } else if (session.direction !== "outgoing") {
      request.reply(481);
    } else {
      const accept = (begun: (session: RTCSession) => void): void => {
        const next = new Session(inside._ua);
        next.on("confirmed", () => session.terminate()); // by a CANCEL
        next.init_incoming(request, begun);
      };
      replaced({ request, accept, reject: () => request.reply(486) } as unknown as ReferEvent);
    }
  };
}

/** Whether an INVITE with Replaces is only about a call that is not answered yet (RFC 3891 §4). */
export function isEarlyOnly(event: ReferEvent): boolean {
  const request = event.request as unknown as Request;
  return /;\s*early-only\s*(;|$)/i.test(request.getHeader("replaces") ?? "");
}
