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

/** Told on `window` when the microphone of a call that goes on was taken away; `detail` says what to do,
 * "" when the call has one again. */
export const LOST = "branchline-microphone-lost";

const CANNOT_OPEN = {
  refused:
    "The browser may not use the microphone. Allow it for this page, by the sign beside the address, and try again.",
  none: "No microphone was found. Plug one in and try again.",
  "in-use":
    "The microphone cannot be used; perhaps another program has it. Close that one and try again.",
};

const NOBODY_HEARS = {
  refused:
    "Nobody hears you: the microphone was taken away from this page. Allow it again, by the sign beside the address; the call goes on.",
  none: "Nobody hears you: the microphone is gone. Plug one in; the call goes on.",
  "in-use":
    "Nobody hears you: the microphone cannot be used. Close what else uses it, or choose another one; the call goes on.",
};

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
    keepOpen(stream);
    return stream;
  } catch (error) {
    const why = reasonOf(error);
    throw new NoMicrophone(CANNOT_OPEN[why], why);
  }
}

function reasonOf(error: unknown): "refused" | "none" | "in-use" {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "refused";
  return name === "NotFoundError" || name === "OverconstrainedError" ? "none" : "in-use";
}

function keepOpen(stream: MediaStream): void {
  open.add(stream);
  for (const track of stream.getAudioTracks()) watch(track);
}

/** A track ends by itself when its microphone is unplugged or forbidden, not when a script stops it. */
function watch(track: MediaStreamTrack): void {
  track.addEventListener("ended", mend);
}

export function closeMicrophone(stream: MediaStream | null): void {
  if (stream) open.delete(stream);
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** The same microphone once more, to be held and muted by itself. */
export function anotherMicrophone(stream: MediaStream): MediaStream {
  const other = stream.clone();
  for (const track of other.getTracks()) track.enabled = true;
  keepOpen(other);
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
  watch(after);
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

const isLost = (stream: MediaStream): boolean =>
  stream.getAudioTracks().some((track) => track.readyState === "ended");

let missed = false;
let mending = Promise.resolve();

/** Have calls whose microphone was taken away go on with whatever there is, or say that nobody hears;
 * one after the other, since all of them end at once. */
function mend(): void {
  mending = mending.then(mendLost);
}

async function mendLost(): Promise<void> {
  let words = "";
  for (const stream of [...open].filter(isLost)) {
    try {
      await exchange(stream);
    } catch (error) {
      words = NOBODY_HEARS[reasonOf(error)];
    }
  }
  if (!words && !missed) return;
  missed = words !== "";
  window.dispatchEvent(new CustomEvent<string>(LOST, { detail: words }));
}

window.addEventListener(CHOSEN, (event) => {
  if ((event as CustomEvent<Kind>).detail !== "microphone") return;
  for (const stream of open) {
    // What cannot be opened leaves the call with the one it has; the panel says why.
    exchange(stream).then(mend, () => undefined);
  }
});

/** Try again as soon as one may be there: it is plugged in, or allowed once more. */
function tryAgain(): void {
  if (missed) mend();
}

navigator.mediaDevices?.addEventListener("devicechange", tryAgain);
navigator.permissions
  ?.query({ name: "microphone" as PermissionName })
  .then((permission) => permission.addEventListener("change", tryAgain))
  .catch(() => undefined); // this browser does not tell; plugging in or choosing another one does
