/** What the server gives the page to register with, for `seconds` from now. It is no password. */
export interface Credential {
  uri: string;
  name: string;
  username: string;
  realm: string;
  ha1: string;
  seconds: number;
}

/** The log-in is over, or the extension is gone: asking again does not help. */
export class NotAllowed extends Error {}

/** Ask for a credential. Throws `NotAllowed`, or any error when the server does not answer. */
export async function fetchCredential(address: string): Promise<Credential> {
  const token = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]");
  const answer = await fetch(address, {
    method: "POST",
    headers: { "X-CSRFToken": token?.value ?? "" },
    signal: AbortSignal.timeout(10_000),
  });
  if (answer.status === 401 || answer.status === 403) throw new NotAllowed();
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return (await answer.json()) as Credential;
}
