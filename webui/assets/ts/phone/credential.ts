/** What the server gives the page to register with, for `seconds` from now. It is no password. */
export interface Credential {
  uri: string;
  name: string;
  username: string;
  realm: string;
  ha1: string;
  seconds: number;
}

/** "out": the log-in is over; "no-extension": it is switched off or somebody else's now. */
export type Refusal = "out" | "no-extension";

/** Asking again does not help. */
export class NotAllowed extends Error {
  constructor(readonly why: Refusal) {
    super(why);
  }
}

/** Told on `window` by whoever of the page was told by the server that it may not ask: perhaps the
 * phone is over, too. */
export const REFUSED = "branchline-refused";

/** Ask for a credential. Throws `NotAllowed`, or any error when the server does not answer. */
export async function fetchCredential(address: string): Promise<Credential> {
  let answer = await ask(address);
  if (answer.status === 403 && !isJson(answer)) {
    // Somebody logged in anew in another tab: the token in this page is of the log-in before.
    await renewToken();
    answer = await ask(address);
  }
  if (answer.status === 401) throw new NotAllowed("out");
  if (answer.status === 403) throw new NotAllowed("no-extension");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return (await answer.json()) as Credential;
}

const TIMEOUT_MS = 10_000;

const tokenIn = (page: Document): HTMLInputElement | null =>
  page.querySelector("input[name=csrfmiddlewaretoken]");

function ask(address: string): Promise<Response> {
  return fetch(address, {
    method: "POST",
    headers: { "X-CSRFToken": tokenIn(document)?.value ?? "" },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

const isJson = (answer: Response): boolean =>
  answer.headers.get("Content-Type")?.startsWith("application/json") ?? false;

/** Take the token of this page as it would be loaded now. */
async function renewToken(): Promise<void> {
  const answer = await fetch(location.pathname, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const token = tokenIn(page)?.value;
  for (const place of document.querySelectorAll<HTMLInputElement>("input[name=csrfmiddlewaretoken]")) {
    if (token) place.value = token;
  }
}
