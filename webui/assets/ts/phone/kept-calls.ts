import type { KeptCall } from "./call";

/** The system ends a call of which it hears nothing for so long (RFC 7675). */
export const KEPT_MS = 30_000;

interface Stored {
  at: number;
  calls: KeptCall[];
}

/**
 * The calls of this phone as they last were, for the page that comes after this one. `name` is of
 * the phone: another person at this browser does not find them.
 */
export class KeptCalls {
  private readonly key: string;

  constructor(name: string) {
    this.key = `branchline-calls:${name}`;
  }

  keep(calls: KeptCall[]): void {
    if (!calls.length) return this.forget();
    this.write({ at: Date.now(), calls });
  }

  forget(): void {
    try {
      localStorage.removeItem(this.key);
    } catch {
      return; // storage is forbidden here; nothing was kept either
    }
  }

  /** What the page before left, and until when it can be gone on with (as `Date.now`). */
  read(): { calls: KeptCall[]; until: number } {
    try {
      const stored = JSON.parse(localStorage.getItem(this.key) ?? "null") as Stored | null;
      const until = (stored?.at ?? 0) + KEPT_MS;
      if (stored && Date.now() < until) return { calls: stored.calls, until };
    } catch {
      this.forget();
    }
    return { calls: [], until: 0 };
  }

  private write(stored: Stored): void {
    try {
      localStorage.setItem(this.key, JSON.stringify(stored));
    } catch {
      return; // full or forbidden: the call just cannot be resumed
    }
  }
}
