/** Milliseconds that the server's clock is ahead of this browser's; set from each page read. */
let ahead = 0;

/** Note the server's clock: `data-now` (seconds since 1970) of the element, if it has one. */
export function setServerClock(element: Element | null): void {
  const now = Number(element?.getAttribute("data-now"));
  if (now) ahead = now * 1000 - Date.now();
}

/** "0:07", "12:08", "1:02:03". */
export function clockText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n: number): string => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}

/** Rewrite the text of every `[data-since]` (seconds since 1970) below `root` to the time passed. */
export function tickDurations(root: ParentNode): void {
  const now = (Date.now() + ahead) / 1000;
  for (const element of root.querySelectorAll<HTMLElement>("[data-since]")) {
    const text = clockText(now - Number(element.dataset.since));
    if (element.textContent !== text) element.textContent = text;
  }
}
