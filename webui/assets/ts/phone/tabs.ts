export interface TabsView {
  /** This tab is the phone now. `asked`: the person took it here from another tab. */
  own(asked: boolean): void;
  /** Another tab is the phone. */
  other(): void;
  /** Another tab takes over in a moment: leave everything to it. */
  leave(): void;
}

/** For the other tab to put down what it knows of its calls. */
const ANSWER_MS = 700;

/**
 * Which of this browser's tabs is the phone called `name`: one at a time, by a lock that goes on to
 * the next tab when its holder closes, crashes or is asked for it.
 */
export class Tabs {
  private readonly lock: string;
  private readonly channel: BroadcastChannel;
  private waiting = new AbortController();
  private owns = false;
  private release: () => void = () => {};
  private onGiven: () => void = () => {};

  constructor(
    name: string,
    private readonly view: TabsView,
  ) {
    this.lock = `branchline-phone:${name}`;
    this.channel = new BroadcastChannel(this.lock);
    this.channel.addEventListener("message", ({ data }) => {
      if (data === "give" && this.owns) {
        this.view.leave();
        this.channel.postMessage("given");
      } else if (data === "given") this.onGiven();
    });
  }

  /** Whether tabs can agree at all: browsers have locks on secure pages only. */
  static get canAgree(): boolean {
    return "locks" in navigator;
  }

  start(): void {
    if (!Tabs.canAgree) return this.view.own(false);
    let got = false;
    void navigator.locks
      .request(this.lock, { ifAvailable: true }, (lock) => {
        got = lock !== null;
        return got ? this.hold(false) : undefined;
      })
      .then(
        () => got || this.wait(),
        () => this.wait(),
      );
  }

  /** Make this tab the phone. */
  async takeOver(): Promise<void> {
    this.waiting.abort();
    await new Promise<void>((resolve) => {
      this.onGiven = resolve;
      setTimeout(resolve, ANSWER_MS);
      this.channel.postMessage("give");
    });
    void navigator.locks
      .request(this.lock, { steal: true }, () => this.hold(true))
      .catch(() => this.wait());
  }

  /** Let another tab be the phone, and do not come back to it. */
  giveUp(): void {
    this.waiting.abort();
    this.owns = false;
    this.release();
  }

  private hold(asked: boolean): Promise<void> {
    this.owns = true;
    return new Promise((resolve) => {
      this.release = resolve;
      this.view.own(asked);
    });
  }

  /** Stand in the queue. */
  private wait(): void {
    this.owns = false;
    this.view.other();
    this.waiting = new AbortController();
    const mine = this.waiting.signal;
    navigator.locks.request(this.lock, { signal: mine }, () => this.hold(false)).catch(() => {
      if (!mine.aborted) this.wait(); // it was ours and another tab took it
    });
  }
}
