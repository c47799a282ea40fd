// On a phone's screen the style sheet makes a card of each row of a list; every value then needs the
// name of its column, which Django writes into the head of the table only.
const heads = [...document.querySelectorAll<HTMLElement>("#result_list thead th")].map(
  (head) => head.querySelector(".text")?.textContent?.trim() ?? "",
);
for (const row of document.querySelectorAll<HTMLTableRowElement>("#result_list tbody tr")) {
  [...row.cells].forEach((cell, at) => {
    if (cell.textContent?.trim() === "–") cell.dataset.empty = ""; // the card leaves it out
    cell.dataset.label = cell.classList.contains("action-checkbox") ? "" : (heads[at] ?? "");
  });
}
