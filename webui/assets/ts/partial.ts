import htmx from "htmx.org";

// A server that has not answered by then is treated as away; the reader sees the old data and its age.
const TIMEOUT_MS = 8000;

/**
 * Fetch a piece of a page and put it into `target`.
 *
 * A session that ended reloads the page, which leads to the log-in. Throws when the server does
 * not answer in time or answers with an error; `target` is then left as it is.
 */
export async function readPartial(
  url: string,
  target: Element,
  swap: "innerMorph" | "innerHTML",
): Promise<void> {
  const answer = await fetch(url, {
    headers: { "HX-Request": "true" },
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (answer.type === "opaqueredirect" || answer.status === 401) {
    location.reload();
    return;
  }
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  const text = await answer.text();
  await htmx.swap({ text, target, swap, sourceElement: target });
}
