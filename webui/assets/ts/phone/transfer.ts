import { URI } from "jssip";
import type { RTCSession } from "jssip/lib/RTCSession";

import { dialogOf } from "./dialog";
import { wordsForEnd } from "./words";

interface Subscription {
  on(event: "accepted" | "failed", then: (event: { status_line: { status_code: number } }) => void): void;
  on(
    event: "requestFailed",
    then: (event: { response: { status_code: number } | null; cause: string }) => void,
  ): void;
}

/** How long the other side may ring somebody before the person gets the call back to decide. */
const PATIENCE_MS = 120_000;

/**
 * Ask the other side of `session` to call `target` (RFC 3515). `told` gets true when that call came
 * about; false, with words, when it did not.
 */
export function askForTransfer(
  session: RTCSession,
  target: string | URI,
  told: (done: boolean, words: string) => void,
): void {
  let over = false;
  const end = (done: boolean, words: string): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    told(done, words);
  };
  const timer = setTimeout(() => end(false, "The transfer came to no end."), PATIENCE_MS);
  const subscription = session.refer(target) as unknown as Subscription | false;
  if (!subscription) return end(false, "The call could not be transferred.");
  subscription.on("accepted", () => end(true, ""));
  subscription.on("failed", ({ status_line: { status_code: status } }) =>
    end(false, `Not transferred. ${wordsForEnd("", status)}`),
  );
  subscription.on("requestFailed", ({ response, cause }) =>
    end(
      false,
      response
        ? "The other phone does not take transfers."
        : `Not transferred. ${wordsForEnd(cause, 0)}`,
    ),
  );
}

/**
 * Where to call to take this side's place in `session` (RFC 3891): the other side's address, with a
 * Replaces header that names the dialog as the other side knows it. Null before it is established.
 */
export function replacesUri(session: RTCSession): URI | null {
  const dialog = dialogOf(session);
  if (!dialog) return null;
  // Its Contact leads there from anywhere only if it is a GRUU (RFC 5627); else the AOR, by the proxy.
  const target = remoteTarget(session);
  const uri = target?.hasParam("gr") ? target.clone() : session.remote_identity.uri.clone();
  const { callId, localTag, remoteTag } = dialog;
  const replaces = `${callId};to-tag=${remoteTag};from-tag=${localTag}`;
  uri.setHeader("Replaces", encodeURIComponent(replaces));
  return uri;
}

function remoteTarget(session: RTCSession): URI | undefined {
  return (session as unknown as { _dialog?: { _remote_target?: URI } })._dialog?._remote_target;
}
