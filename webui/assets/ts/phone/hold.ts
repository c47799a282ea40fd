import type { RTCSession } from "jssip/lib/RTCSession";

import { takeBack } from "./glare";

/** JsSIP's own `hold` ends the call when it is refused; these parts of it do not. */
interface Inside {
  _localHold: boolean;
  _onhold(originator: "local"): void;
  _onunhold(originator: "local"): void;
  _sendReinvite(options: { eventHandlers: { failed(response?: unknown): void } }): void;
}

/**
 * Hold the other side or take it back, by a new offer. One that is refused leaves the session as it was
 * (RFC 3261 §14.1), and `refused` is told. False if that cannot be done just now.
 */
export function changeHold(session: RTCSession, hold: boolean, refused: () => void): boolean {
  if (!session.isEstablished() || !session.isReadyToReOffer()) return false;
  const inside = session as unknown as Inside;
  const be = (held: boolean): void => {
    inside._localHold = held;
    if (held) inside._onhold("local");
    else inside._onunhold("local");
  };
  be(hold);
  inside._sendReinvite({
    eventHandlers: {
      failed: (response) => {
        if (session.isEnded()) return;
        // Accepted, but with a description that the browser cannot use: nothing is as it was.
        if (!response) return session.terminate({ status_code: 500, reason_phrase: "Hold Failed" });
        void takeBack(session);
        be(!hold);
        refused();
      },
    },
  });
  return true;
}
