import { CHOSEN, chosen, type Kind } from "./chosen-devices";

/** Why there is no microphone: `why` for a script, the message in words that say what to do. */
export class NoMicrophone extends Error {
  constructor(
    message: string,
    readonly why: "insecure" | "refused" | "none" | "in-use",
  ) {
    super(message);
  }
}

/** What is open now, so that another choice reaches a call that goes on. */
const open = new Set<MediaStream>();
const carrying = new Set<RTCPeerConnection>();

/** The chosen microphone's sound, or the system's own if that one is gone. Throws `NoMicrophone`.
 * `httpsPort` is where the page is safe. */
export async function openMicrophone(httpsPort: string): Promise<MediaStream> {
  if (!window.isSecureContext || !navigator.mediaDevices) {
    throw new NoMicrophone(
      "Browsers give the microphone to secure pages only. " +
        `Open https://${location.hostname}:${httpsPort}/phone/ instead.`,
      "insecure",
    );
  }
  try {
    const stream = await openChosen(chosen("microphone"));
    open.add(stream);
    return stream;
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotAllowedError" || name === "SecurityError") {
      throw new NoMicrophone(
        "The browser may not use the microphone. Allow it for this page, by the sign beside the address, and try again.",
        "refused",
      );
    }
    if (name === "NotFoundError" || name === "OverconstrainedError") {
      throw new NoMicrophone("No microphone was found. Plug one in and try again.", "none");
    }
    throw new NoMicrophone(
      "The microphone cannot be used; perhaps another program has it. Close that one and try again.",
      "in-use",
    );
  }
}

export function closeMicrophone(stream: MediaStream | null): void {
  if (stream) open.delete(stream);
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** The same microphone once more, to be held and muted by itself. */
export function anotherMicrophone(stream: MediaStream): MediaStream {
  const other = stream.clone();
  for (const track of other.getTracks()) track.enabled = true;
  open.add(other);
  return other;
}

async function openChosen(id: string): Promise<MediaStream> {
  if (!id) return navigator.mediaDevices.getUserMedia({ audio: true });
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: { deviceId: { exact: id } } });
  } catch (error) {
    const gone = error instanceof DOMException && /^(NotFound|Overconstrained)/.test(error.name);
    if (!gone) throw error;
    return navigator.mediaDevices.getUserMedia({ audio: true });
  }
}

/** Have calls over this connection follow the choice of a microphone as long as they last. */
export function followChoice(connection: RTCPeerConnection): void {
  carrying.add(connection);
}

async function exchange(stream: MediaStream): Promise<void> {
  const [before] = stream.getAudioTracks();
  const [after] = (await openChosen(chosen("microphone"))).getAudioTracks();
  if (!after) return;
  if (!before || !open.has(stream)) {
    after.stop(); // the call ended meanwhile
    return;
  }
  after.enabled = before.enabled; // muted stays muted
  for (const connection of carrying) {
    if (connection.signalingState === "closed") carrying.delete(connection);
    else {
      for (const sender of connection.getSenders()) {
        if (sender.track === before) await sender.replaceTrack(after);
      }
    }
  }
  stream.removeTrack(before);
  stream.addTrack(after);
  before.stop();
}

window.addEventListener(CHOSEN, (event) => {
  if ((event as CustomEvent<Kind>).detail !== "microphone") return;
  for (const stream of open) {
    // What cannot be opened leaves the call with the one it has; the panel says why.
    exchange(stream).catch(() => undefined);
  }
});
