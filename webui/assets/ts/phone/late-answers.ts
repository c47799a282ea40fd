import * as dialogModule from "jssip/lib/Dialog";
import type { RTCSession } from "jssip/lib/RTCSession";

/** A response to an INVITE as JsSIP has it; its version is fixed by the lock file. */
interface Response {
  status_code: number;
  to_tag: string;
}

interface Inside {
  _receiveInviteResponse(response: Response): void;
  sendRequest(method: string, options?: object): unknown;
}

interface Dialog {
  error?: object;
  sendRequest(method: string): void;
  terminate(): void;
}

// A CommonJS module whose only export is the class.
const Dialog = (
  dialogModule as unknown as {
    default: new (owner: Inside, response: Response, type: "UAC") => Dialog;
  }
).default;

/**
 * Have every 2xx to the INVITE of `session` acknowledged, and its dialog ended unless it is the one
 * that is talked in: the answer of who was cancelled too late (RFC 3261 §9.1), of another phone that
 * the call was forked to (RFC 3261 §13.2.2.4), and one that its person hangs up on before the browser
 * has read it (RFC 5407 §3.1.2). JsSIP drops the first, ends the wrong call for the second and sends
 * the third a BYE without an ACK.
 */
export function endLateAnswers(session: RTCSession): void {
  const inside = session as unknown as Inside;
  const receive = inside._receiveInviteResponse.bind(session);
  const send = inside.sendRequest.bind(session);
  const ended = new Set<string>();
  let taken: Response | null = null;
  let acknowledged = false;

  const end = (response: Response): void => {
    const dialog = new Dialog(inside, response, "UAC");
    if (dialog.error) return;
    dialog.sendRequest("ACK");
    // It comes again until the ACK is there; one BYE is enough.
    if (!ended.has(response.to_tag)) dialog.sendRequest("BYE");
    ended.add(response.to_tag);
    dialog.terminate();
  };

  inside._receiveInviteResponse = (response) => {
    if (response.status_code < 200 || response.status_code > 299) receive(response);
    else if (session.isEnded() || (taken && taken.to_tag !== response.to_tag)) end(response);
    else {
      taken = response;
      receive(response);
    }
  };
  inside.sendRequest = (method, options) => {
    if (method === "BYE" && taken && !acknowledged) inside.sendRequest("ACK");
    if (method === "ACK") acknowledged = true;
    return send(method, options);
  };
}
