import { setCookie } from "./cookies";

// Runs in <head> before the style sheet, so that no page flashes in the wrong colours. The storage
// key and the attribute are those of Django admin's own theme.js: both switches agree.
const stored = ((): string | null => {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null; // storage may be forbidden; the cookie decided on the server then
  }
})();
if (stored === "light" || stored === "dark" || stored === "auto") {
  document.documentElement.dataset.theme = stored;
}

// The server writes all times in the reader's zone, which only the browser knows.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) {
  setCookie("timezone", zone);
}
