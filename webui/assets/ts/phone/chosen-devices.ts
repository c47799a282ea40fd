/** Which microphone and speaker this browser's phone uses; "" is the system's own choice. */
export type Kind = "microphone" | "speaker";

/** Told on `window` when somebody chose another one; `detail` is the kind. */
export const CHOSEN = "branchline-device-chosen";

const key = (kind: Kind): string => `branchline-${kind}`;

export function chosen(kind: Kind): string {
  try {
    return localStorage.getItem(key(kind)) ?? "";
  } catch {
    return ""; // storage is forbidden here
  }
}

export function choose(kind: Kind, id: string): void {
  try {
    if (id) localStorage.setItem(key(kind), id);
    else localStorage.removeItem(key(kind));
  } catch {
    return; // it holds for no longer than this choice then, and says so by the list
  }
  window.dispatchEvent(new CustomEvent<Kind>(CHOSEN, { detail: kind }));
}

/** Have the chosen speaker play what `element` plays. One that is gone leaves the system's own. */
export async function playOnChosen(element: HTMLMediaElement): Promise<void> {
  if (!("setSinkId" in element)) return;
  try {
    await element.setSinkId(chosen("speaker"));
  } catch {
    await element.setSinkId("");
  }
}
