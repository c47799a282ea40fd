import { readPartial } from "./partial";

// The same width at which shell.css shows the pane.
const wide = matchMedia("(min-width: 78.01rem)");

/** On wide screens a call opens in the pane beside the list; elsewhere its link is just a link. */
export function openCallsBesideTheList(): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest<HTMLAnchorElement>("a[data-pane]");
    const pane = document.getElementById("call-pane");
    if (!link || !pane || !wide.matches) return;
    event.preventDefault();
    readPartial(link.dataset.pane ?? link.href, pane, "innerHTML").then(
      () => select(link),
      () => location.assign(link.href), // the call's own page says what is wrong
    );
  });
}

function select(link: HTMLAnchorElement): void {
  for (const row of document.querySelectorAll("tr[aria-current]")) row.removeAttribute("aria-current");
  link.closest("tr")?.setAttribute("aria-current", "true");
}
