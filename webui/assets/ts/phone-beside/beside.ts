import { setCookie } from "../cookies";
import { element } from "../phone/element";
import { Hints } from "./hints";
import { explainTrouble } from "./line-help";
import { Region } from "./region";
import { SoundPanel } from "./sound-panel";

/** Told on `window` when people or phones may have changed: who offers people asks again. */
const CHANGED = "branchline-neighbours-changed";

const phone = element("phone");
const people = new Region(element("people"), element("beside").dataset.neighbours ?? "");
const history = new Region(element("history"), phone.dataset.history ?? "");

new Hints(() => {
  void people.read();
  void history.read();
  window.dispatchEvent(new Event(CHANGED));
}).start();
new SoundPanel(phone.dataset.httpsPort ?? "").start();
explainTrouble(phone);

// Whoever has several extensions says which one this page is; the page begins anew as that one.
const which = document.getElementById("which-extension") as HTMLSelectElement | null;
which?.addEventListener("change", () => {
  setCookie("phone_extension", which.value);
  location.reload();
});
