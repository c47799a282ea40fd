/** What the telephone system knows this browser's phone by: the same after each reload. */
export interface Device {
  instance: string;
  contact: string;
}

const TOKEN = /^sip:[a-z0-9]+@[a-z0-9]+\.invalid;transport=ws$/;

/**
 * This browser's phone called `name`. With one address for all its pages a new registration takes
 * the place of the old one, and requests within a resumed call find the new page.
 */
export function deviceOf(name: string): Device {
  const key = `branchline-device:${name}`;
  try {
    const stored = JSON.parse(localStorage.getItem(key) ?? "null") as Device | null;
    if (stored && TOKEN.test(stored.contact) && stored.instance) return stored;
    const device = newDevice();
    localStorage.setItem(key, JSON.stringify(device));
    return device;
  } catch {
    return newDevice(); // storage is forbidden here: a new one for each page
  }
}

/** One that no other page has. */
export function newDevice(): Device {
  const digits = [...crypto.getRandomValues(new Uint8Array(30))].map((byte) => byte.toString(16).padStart(2, "0"));
  const [user, host] = [digits.slice(0, 6).join(""), digits.slice(6, 14).join("")];
  const id = digits.slice(14).join("");
  // A UUID of version 4; crypto.randomUUID is for secure pages only.
  const instance = `${id.slice(0, 8)}-${id.slice(8, 12)}-4${id.slice(13, 16)}-a${id.slice(17, 20)}-${id.slice(20, 32)}`;
  return { instance, contact: `sip:${user}@${host}.invalid;transport=ws` };
}
