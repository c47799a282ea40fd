import type { RTCSession } from "jssip/lib/RTCSession";

import { takeBack } from "./glare";

/** JsSIP's own `renegotiate` ends the call when the offer is refused; this part of it does not. */
interface Inside {
  _sendReinvite(options: {
    rtcOfferConstraints: RTCOfferOptions;
    eventHandlers: { failed(response?: unknown): void };
  }): void;
}

/**
 * Offer new ICE credentials in the call (RFC 8445 §9). False if that cannot be done just now. An offer
 * that is refused is taken back (RFC 3261 §14.1): the session stays as it was.
 */
export function restartIce(session: RTCSession): boolean {
  if (!session.isEstablished() || !session.isReadyToReOffer()) return false;
  (session as unknown as Inside)._sendReinvite({
    rtcOfferConstraints: { iceRestart: true },
    eventHandlers: { failed: () => void takeBack(session) },
  });
  return true;
}
