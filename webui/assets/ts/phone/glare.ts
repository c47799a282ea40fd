import type { RTCSession } from "jssip/lib/RTCSession";

/** A response as JsSIP has it; its version is fixed by the lock file. */
interface Response {
  status_code: number;
  hasHeader(name: string): boolean;
}

interface Offer {
  eventHandlers: { succeeded?(response: Response): void; failed(response?: Response): void };
}

interface Sent {
  transaction: { eventHandlers: { onReceiveResponse(response: Response): void } };
}

interface Inside {
  _connectionPromiseQueue: Promise<unknown>;
  _sendReinvite(offer: Offer): void;
  sendRequest(
    method: string,
    options?: { eventHandlers?: { onErrorResponse(response: Response): void } },
  ): Sent | undefined;
}

/** Both sides draw lots about who waits longer: that many draws that both lose are no chance any more. */
const MOST_TRIES = 5;
const LOOK_AGAIN_MS = 200;

/**
 * Have offers of both sides that cross each other end as RFC 3261 §14.1 and §14.2 want: each is refused
 * with 491, and this side's is made anew after a time drawn by lot. JsSIP takes the other side's offer
 * although it refused it, sends its own old one again, and ends the call when that is answered.
 */
export function mindGlare(session: RTCSession): void {
  const inside = session as unknown as Inside;
  const offer = inside._sendReinvite.bind(session);
  const send = inside.sendRequest.bind(session);
  let offering = false;

  inside._sendReinvite = (options) => {
    let tries = 1;
    const begin = (): void => {
      offering = true;
      offer({ ...options, eventHandlers: { succeeded, failed } });
    };
    const succeeded = (response: Response): void => {
      offering = false;
      options.eventHandlers.succeeded?.(response);
    };
    const failed = (response?: Response): void => {
      offering = false;
      if (!response || !isLater(response) || tries++ >= MOST_TRIES) {
        return options.eventHandlers.failed(response);
      }
      inside._connectionPromiseQueue = inside._connectionPromiseQueue.then(() => takeBack(session));
      setTimeout(again, waitMs(session));
    };
    const again = (): void => {
      if (session.isEnded()) return;
      // The other side's offer is being answered, or a newer one of this side's is under way.
      if (offering || !session.isReadyToReOffer()) setTimeout(again, LOOK_AGAIN_MS);
      else begin();
    };
    begin();
  };

  inside.sendRequest = (method, options) => {
    const sent = send(method, options);
    const handlers = method === "INVITE" ? sent?.transaction.eventHandlers : undefined;
    if (!handlers) return sent;
    const hear = handlers.onReceiveResponse;
    handlers.onReceiveResponse = (response) => {
      if (response.status_code === 491) options?.eventHandlers?.onErrorResponse(response);
      else hear(response);
    };
    return sent;
  };

  session.on("reinvite", ({ reject }) => {
    if (offering) reject({ status_code: 491 });
  });
}

/** Whether the same may be asked again: an offer crossed it, or one before it is not answered yet. */
function isLater(response: Response): boolean {
  const { status_code: status } = response;
  return status === 491 || (status === 500 && response.hasHeader("Retry-After"));
}

/** Have the session's connection be as before this side's offer (RFC 3261 §14.1). */
export async function takeBack({ connection }: RTCSession): Promise<void> {
  if (connection?.signalingState !== "have-local-offer") return;
  await connection.setLocalDescription({ type: "rollback" });
}

/** By lot in steps of 10 ms: 2.1 to 4 seconds for who began the call, up to 2 for the other. */
function waitMs(session: RTCSession): number {
  const [least, steps] = session.direction === "outgoing" ? [2100, 190] : [0, 200];
  return least + 10 * Math.floor(Math.random() * (steps + 1));
}
