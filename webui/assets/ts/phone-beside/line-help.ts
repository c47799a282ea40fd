import { element } from "../phone/element";

/** A short loss mends itself before anybody has read about it. */
const PATIENCE_MS = 8000;
const TROUBLE = ["away", "refused"];

/** Says more about the line, and where to look, when it has been in trouble for a while. */
export function explainTrouble(phone: HTMLElement): void {
  const help = element("line-help");
  let timer = 0;
  let troubled = false;
  const look = (): void => {
    const now = TROUBLE.includes(phone.dataset.state ?? "");
    // Between two tries it says "connecting", which ends no trouble.
    if (now === troubled || (troubled && phone.dataset.state === "connecting")) return;
    troubled = now;
    if (now) help.dataset.trouble = phone.dataset.state;
    clearTimeout(timer);
    help.hidden = true;
    if (now) timer = window.setTimeout(() => (help.hidden = false), PATIENCE_MS);
  };
  new MutationObserver(look).observe(phone, { attributeFilter: ["data-state"] });
  look();
}
