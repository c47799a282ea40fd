interface Person {
  number: string;
  name: string;
  /** Whether they can be reached, in a word, and the tone that it is shown in. */
  state: string;
  tone: string;
}

/** Offers people while a number or name is typed: a combobox (ARIA 1.2) with the keys that it has. */
export class Suggestions {
  private timer = 0;
  private asked = 0;
  private chosen = -1;

  constructor(
    private readonly field: HTMLInputElement,
    private readonly list: HTMLElement,
    private readonly address: string,
  ) {
    field.addEventListener("input", () => this.askSoon());
    field.addEventListener("keydown", (event) => this.key(event));
    field.addEventListener("blur", () => this.hide());
    window.addEventListener("branchline-neighbours-changed", () => {
      if (!list.hidden) void this.ask();
    });
    // Not click: the field would lose the focus and hide the list first.
    list.addEventListener("pointerdown", (event) => {
      const option = (event.target as Element).closest<HTMLElement>("[role=option]");
      event.preventDefault();
      if (option) this.take(option);
    });
  }

  hide(): void {
    clearTimeout(this.timer);
    this.asked++;
    this.list.hidden = true;
    this.list.replaceChildren();
    this.choose(-1);
    this.field.setAttribute("aria-expanded", "false");
  }

  private askSoon(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.ask(), 150);
  }

  private async ask(): Promise<void> {
    const mine = ++this.asked;
    const text = this.field.value.trim();
    if (!text) return this.hide();
    try {
      const answer = await fetch(`${this.address}?q=${encodeURIComponent(text)}`);
      if (!answer.ok || mine !== this.asked) return;
      this.show(((await answer.json()) as { people: Person[] }).people);
    } catch {
      if (mine === this.asked) this.hide(); // a number can be dialled without suggestions
    }
  }

  private show(people: Person[]): void {
    if (!people.length) return this.hide();
    const chosen = this.list.querySelector<HTMLElement>("[aria-selected=true]")?.dataset.number;
    this.list.replaceChildren(
      ...people.map((person, at) => {
        const option = document.createElement("li");
        option.id = `found-${at}`;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        option.dataset.number = person.number;
        const name = document.createElement("span");
        name.textContent = person.name || person.number;
        name.className = "one-line";
        const number = document.createElement("span");
        number.className = "num quiet-text";
        number.textContent = person.name ? person.number : "";
        const dot = document.createElement("span");
        dot.className = `presence tone-${person.tone}`;
        const state = document.createElement("span");
        state.className = "quiet-text presence-word";
        state.textContent = person.state;
        option.append(dot, name, number, state);
        return option;
      }),
    );
    this.choose(people.findIndex((person) => person.number === chosen));
    this.list.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
  }

  private key(event: KeyboardEvent): void {
    const options = [...this.list.querySelectorAll<HTMLElement>("[role=option]")];
    if (!options.length) return;
    const option = options[this.chosen];
    if (event.key === "ArrowDown") this.choose((this.chosen + 1) % options.length);
    else if (event.key === "ArrowUp") {
      this.choose((this.chosen <= 0 ? options.length : this.chosen) - 1);
    } else if (event.key === "Escape") this.hide();
    else if (event.key === "Enter" && option) this.take(option);
    else return;
    event.preventDefault();
  }

  private choose(at: number): void {
    this.chosen = at;
    const options = this.list.querySelectorAll("[role=option]");
    options.forEach((option, i) => option.setAttribute("aria-selected", String(i === at)));
    if (at < 0) this.field.removeAttribute("aria-activedescendant");
    else this.field.setAttribute("aria-activedescendant", `found-${at}`);
  }

  private take(option: HTMLElement): void {
    this.field.value = option.dataset.number ?? "";
    this.hide();
    this.field.focus();
  }
}
