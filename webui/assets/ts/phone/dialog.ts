import type { URI } from "jssip";
import type { RTCSession } from "jssip/lib/RTCSession";

/** A dialog's state (RFC 3261 §12), as a page can keep it; addresses as text. */
export interface StoredDialog {
  callId: string;
  localTag: string;
  remoteTag: string;
  localSequence: number;
  remoteSequence: number;
  localUri: string;
  remoteUri: string;
  remoteName: string;
  remoteTarget: string;
  /** In the order of the Route headers. */
  routes: string[];
}

/** The parts of JsSIP's sessions and dialogs that it has no public names for. */
export interface JsSipDialog {
  _id: { call_id: string; local_tag: string; remote_tag: string };
  _local_seqnum?: number;
  _remote_seqnum?: number;
  _local_uri: URI;
  _remote_uri: URI;
  _remote_target: URI;
  _route_set: string[];
}

/** The session's dialog, null before it is confirmed. */
export function dialogOf(session: RTCSession): StoredDialog | null {
  const dialog = (session as unknown as { _dialog: JsSipDialog | null })._dialog;
  if (!dialog) return null;
  return {
    callId: dialog._id.call_id,
    localTag: dialog._id.local_tag,
    remoteTag: dialog._id.remote_tag,
    localSequence: dialog._local_seqnum ?? 1,
    remoteSequence: dialog._remote_seqnum ?? 0,
    localUri: dialog._local_uri.toString(),
    remoteUri: dialog._remote_uri.toString(),
    remoteName: session.remote_identity.display_name ?? "",
    remoteTarget: dialog._remote_target.toString(),
    routes: [...dialog._route_set],
  };
}
