/**
 * When htmx could not refresh a list, show the page's error banner; hide it when a later try works.
 * The list keeps its rows: old data with a notice is worth more than none.
 */
export function tellFailedRequests(): void {
  const banner = document.querySelector<HTMLElement>("[data-request-error]");
  if (!banner) return;
  const show = (): void => {
    banner.hidden = false;
  };
  document.addEventListener("htmx:error", show);
  document.addEventListener("htmx:response:error", show);
  document.addEventListener("htmx:after:swap", (event) => {
    const { ctx } = (event as CustomEvent<{ ctx: { response?: { status: number } } }>).detail;
    banner.hidden = (ctx.response?.status ?? 200) < 400;
  });
}
