import { readPartial } from "./partial";

/** A call's messages are asked of the engine only when somebody opens the place for them. */
export function readMessagesWhenOpened(): void {
  document.addEventListener(
    "toggle",
    (event) => {
      const place = event.target;
      if (!(place instanceof HTMLDetailsElement) || !place.open || !place.dataset.messages) return;
      const inside = place.querySelector(".inside");
      if (!inside) return;
      const url = place.dataset.messages;
      readPartial(url, inside, "innerHTML").catch(() => location.assign(url)); // it says what is wrong
    },
    true, // toggle does not bubble
  );
}
