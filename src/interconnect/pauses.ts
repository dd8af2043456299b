// Partners that asked to be left alone for a while (Retry-After): for so long no request for a group goes to them.
// What they ask is bounded, so that no partner keeps its groups away for ever by one header field.
import type { Clock } from './clock.ts';

/** Longest pause that a partner can ask for, seconds. */
const longest = 3600;
/** Shortest, seconds: who says 0 asked for a pause all the same. */
const shortest = 1;

export class Pauses {
  readonly #clock: Clock;
  /** Milliseconds since 1970, by partner. */
  readonly #until = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The partner asks for a pause of so many seconds from now on. Returns the seconds that it gets. */
  note(partner: string, seconds: number): number {
    const granted = Math.min(Math.max(Number.isNaN(seconds) ? 0 : seconds, shortest), longest);
    const until = this.#clock.now() + granted * 1000;
    this.#until.set(partner, Math.max(until, this.#until.get(partner) ?? 0));
    return this.remaining(partner) ?? granted;
  }

  /** Seconds, at least 1, until the partner may be asked again; undefined when it may be now. */
  remaining(partner: string): number | undefined {
    const left = (this.#until.get(partner) ?? 0) - this.#clock.now();
    return left <= 0 ? undefined : Math.ceil(left / 1000);
  }

  /** Resolves when the partner may be asked; at once with false when that takes longer than `most` seconds. */
  async over(partner: string, most: number): Promise<boolean> {
    for (;;) {
      const left = this.remaining(partner);
      if (left === undefined) return true;
      if (left > most) return false;
      await new Promise<void>((resolve) => {
        const end = (): void => {
          cancel();
          this.#waiting.delete(end);
          resolve();
        };
        const cancel = this.#clock.after((this.#until.get(partner) ?? 0) - this.#clock.now(), end);
        this.#waiting.add(end);
      });
    }
  }

  /** Forgets all pauses: settings changed, or nothing is asked any more. */
  clear(): void {
    this.#until.clear();
    for (const end of this.#waiting) end();
  }
}
