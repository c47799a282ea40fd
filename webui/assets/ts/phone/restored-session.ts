import { Grammar, NameAddrHeader, type UA, URI } from "jssip";
import * as dialogModule from "jssip/lib/Dialog";
import type { RTCSession } from "jssip/lib/RTCSession";
import * as sessionModule from "jssip/lib/RTCSession";

import type { JsSipDialog, StoredDialog } from "./dialog";

/** JsSIP's session as it is inside; its version is fixed by the lock file. */
interface Inside {
  _id: string;
  _status: number;
  _direction: string;
  _is_confirmed: boolean;
  _from_tag: string;
  _to_tag: string;
  _contact: string;
  _dialog: JsSipDialog;
  _local_identity: NameAddrHeader;
  _remote_identity: NameAddrHeader;
  _localMediaStream: MediaStream | null;
  _localHold: boolean;
  _remoteHold: boolean;
  _start_time: Date;
  _connection: RTCPeerConnection;
  on(event: "peerconnection", listener: () => void): void;
  on(event: "sdp", listener: (told: Told) => void): void;
  _onhold(originator: "remote"): void;
  _createRTCConnection(configuration: RTCConfiguration): void;
}

interface Told {
  originator: string;
  type: string;
  sdp: string;
}

interface Registers {
  contact: { toString(options: object): string };
  newRTCSession(session: Inside, data: object): void;
}

/** What JsSIP reads of the message that makes a dialog (RFC 3261 §12.1.2). */
interface MakingMessage {
  call_id: string;
  from_tag: string;
  to_tag: string;
  cseq: number;
  hasHeader(name: string): boolean;
  parseHeader(name: string): { uri: URI };
  getHeaders(name: string): string[];
}

type SessionClass = (new (ua: UA) => Inside) & { C: { STATUS_CONFIRMED: number } };
type DialogClass = new (owner: Inside, message: MakingMessage, type: "UAC") => JsSipDialog;

// They are CommonJS modules whose only export is the class.
const Session = (sessionModule as unknown as { default: SessionClass }).default;
const Dialog = (dialogModule as unknown as { default: DialogClass }).default;

/** The last request before the page went may have been sent after its number was kept. */
const SPARE_NUMBERS = 100;

/**
 * A session in the state confirmed whose dialog another page began, with a connection of its own
 * that nothing was offered on yet. Throws if an address in `kept` cannot be read.
 */
export function restoredSession(
  ua: UA,
  kept: { dialog: StoredDialog; held: boolean },
  microphone: MediaStream | null,
  peer: RTCConfiguration,
  onConnection: (connection: RTCPeerConnection) => void,
): RTCSession {
  const stored = kept.dialog;
  const registers = ua as unknown as Registers;
  const session = new Session(ua);
  const addresses: Record<string, URI> = {
    from: uriOf(stored.localUri),
    to: uriOf(stored.remoteUri),
    contact: uriOf(stored.remoteTarget),
  };
  session._id = stored.callId + stored.localTag;
  session._from_tag = stored.localTag;
  session._to_tag = stored.remoteTag;
  session._direction = "outgoing";
  session._contact = registers.contact.toString({ outbound: true });
  session._local_identity = new NameAddrHeader(addresses.from as URI);
  session._remote_identity = new NameAddrHeader(addresses.to as URI, stored.remoteName);
  session._dialog = new Dialog(
    session,
    {
      call_id: stored.callId,
      from_tag: stored.localTag,
      to_tag: stored.remoteTag,
      cseq: stored.localSequence + SPARE_NUMBERS,
      hasHeader: () => true,
      parseHeader: (name) => ({ uri: addresses[name] as URI }),
      getHeaders: () => [...stored.routes].reverse(), // JsSIP takes them as of a response
    },
    "UAC",
  );
  session._dialog._remote_seqnum = stored.remoteSequence;
  session._status = Session.C.STATUS_CONFIRMED;
  session._is_confirmed = true;
  session._localHold = kept.held;
  session._start_time = new Date();
  session.on("peerconnection", () => onConnection(session._connection));
  session.on("sdp", (told) => learnHold(session, told));
  session._createRTCConnection(peer);
  session._localMediaStream = microphone;
  if (microphone) {
    for (const track of microphone.getTracks()) session._connection.addTrack(track, microphone);
  }
  registers.newRTCSession(session, { originator: "local", session, request: null });
  return session as unknown as RTCSession;
}

/** Whether the other side holds the call is not kept: its answer to an offer of both ways says it. */
function learnHold(session: Inside, { originator, type, sdp }: Told): void {
  if (originator !== "remote" || type !== "answer") return;
  if (session._localHold || session._remoteHold) return;
  if (!/^a=(sendonly|inactive)\r?$/m.test(sdp)) return;
  session._remoteHold = true;
  session._onhold("remote");
}

function uriOf(text: string): URI {
  const uri = Grammar.parse(text, "SIP_URI") as URI | -1;
  if (uri === -1) throw new Error(`no SIP address: ${text}`);
  return uri;
}
