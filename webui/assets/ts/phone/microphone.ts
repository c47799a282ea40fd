/** Why there is no microphone, in words that say what to do. */
export class NoMicrophone extends Error {}

/** The microphone's sound. Throws `NoMicrophone`. `httpsPort` is where the page is safe. */
export async function openMicrophone(httpsPort: string): Promise<MediaStream> {
  if (!window.isSecureContext || !navigator.mediaDevices) {
    throw new NoMicrophone(
      "Browsers give the microphone to secure pages only. " +
        `Open https://${location.hostname}:${httpsPort}/phone/ instead.`,
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotAllowedError" || name === "SecurityError") {
      throw new NoMicrophone(
        "The browser may not use the microphone. Allow it for this page, by the sign beside the address, and try again.",
      );
    }
    if (name === "NotFoundError" || name === "OverconstrainedError") {
      throw new NoMicrophone("No microphone was found. Plug one in and try again.");
    }
    throw new NoMicrophone(
      "The microphone cannot be used; perhaps another program has it. Close that one and try again.",
    );
  }
}

export function closeMicrophone(stream: MediaStream | null): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** The same microphone once more, to be held and muted by itself. */
export function anotherMicrophone(stream: MediaStream): MediaStream {
  const other = stream.clone();
  for (const track of other.getTracks()) track.enabled = true;
  return other;
}
