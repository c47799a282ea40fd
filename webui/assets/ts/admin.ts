const text = (element: Element | null | undefined): string => element?.textContent?.trim() ?? "";

/**
 * On a phone's screen the style sheet makes a card of each row of a list; every value then needs the
 * name of its column, which Django writes into the head of the table only.
 */
function nameCells(list: HTMLTableElement): void {
  const heads = [...(list.tHead?.rows[0]?.cells ?? [])].map((head) => text(head.querySelector(".text")));
  for (const row of list.tBodies[0]?.rows ?? []) {
    [...row.cells].forEach((cell, at) => {
      if (text(cell) === "–") cell.dataset.empty = ""; // the card leaves it out
      cell.dataset.label = cell.classList.contains("action-checkbox") ? "" : (heads[at] ?? "");
    });
  }
}

/** Fields in a table are named by their column: for who hears the page, the name must be at the field. */
function nameFields(table: HTMLTableElement): void {
  const heads = [...(table.tHead?.rows[0]?.cells ?? [])].map(text);
  for (const row of table.tBodies[0]?.rows ?? []) {
    [...row.cells].forEach((cell, at) => {
      const name = heads[at]?.replace("?", "");
      for (const field of cell.querySelectorAll("input:not([type=hidden]), select, textarea")) {
        if (name && !field.hasAttribute("aria-label")) field.setAttribute("aria-label", name);
      }
    });
  }
}

/** The boxes with a search in them stand for a hidden <select>, whose label they do not know. */
function nameSearchBoxes(): void {
  for (const box of document.querySelectorAll<HTMLElement>(".select2-selection")) {
    const choice = box.closest(".select2-container")?.previousElementSibling;
    const name = text(choice && document.querySelector(`label[for="${choice.id}"]`)).replace(":", "");
    if (!name || box.ariaLabel === name) continue;
    box.setAttribute("aria-label", name);
    box.querySelector(".select2-selection__rendered")?.setAttribute("aria-label", name);
  }
}

const tables = (): NodeListOf<HTMLTableElement> =>
  document.querySelectorAll<HTMLTableElement>("#result_list, .tabular table");

const list = document.querySelector<HTMLTableElement>("#result_list");
if (list) nameCells(list);
tables().forEach(nameFields);
document.addEventListener("formset:added", () => tables().forEach(nameFields));
nameSearchBoxes();
// Django's own scripts make the boxes, now or later: with the page, with a further row of a form.
new MutationObserver(nameSearchBoxes).observe(document.body, { childList: true, subtree: true });
