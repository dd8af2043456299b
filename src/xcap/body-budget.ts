// How much memory the request bodies in flight may hold: all of a face together, and those of one caller.
// What counts is what has arrived, not what was announced: an announcement costs nothing, and must not keep others out.
import { Refusal } from '../refusals.ts';

export interface BodyBudgetLimits {
  /** Octets for all callers of the face. */
  readonly bodiesInFlightBytes: number;
  /** Octets for one caller. */
  readonly bodiesInFlightBytesPerCaller: number;
  /** Octets for one caller where another bound than the common one applies to it. */
  readonly bytesOf?: ((caller: string) => number | undefined) | undefined;
  /** Octets of the largest body; a caller without others beside it can always send one. */
  readonly documentBytes: number;
}

/** What one exchange holds of the budget. */
export interface BodyAccount {
  /** Throws `unavailable` when `octets` more of this caller do not fit now; takes nothing. */
  check(caller: string, octets: number): void;
  /** Takes `octets` for this caller. Throws `unavailable` when they do not fit, and then takes nothing. */
  take(caller: string, octets: number): void;
  /** Gives back all that was taken. */
  close(): void;
}

/** Seconds after which bodies that are read and judged now are likely to be gone. */
const retryAfter = 1;

export class BodyBudget {
  readonly #total: number;
  readonly #perCaller: number;
  readonly #documentBytes: number;
  readonly #bytesOf: BodyBudgetLimits['bytesOf'];
  readonly #callers = new Map<string, number>();
  #held = 0;

  constructor({ bodiesInFlightBytes, bodiesInFlightBytesPerCaller, bytesOf, documentBytes }: BodyBudgetLimits) {
    this.#documentBytes = documentBytes;
    this.#bytesOf = bytesOf;
    this.#perCaller = Math.max(bodiesInFlightBytesPerCaller, documentBytes);
    this.#total = Math.max(bodiesInFlightBytes, 2 * documentBytes);
  }

  /** Octets held now. */
  get held(): number {
    return this.#held;
  }

  open(): BodyAccount {
    const taken = new Map<string, number>();
    return {
      check: (caller, octets) => this.#check(caller, octets),
      take: (caller, octets) => {
        this.#check(caller, octets);
        this.#add(caller, octets);
        taken.set(caller, (taken.get(caller) ?? 0) + octets);
      },
      close: () => {
        for (const [caller, octets] of taken) this.#add(caller, -octets);
        taken.clear();
      },
    };
  }

  // No caller may hold more than it leaves to all others, so that any number of greedy ones leaves room for small bodies
  #check(caller: string, octets: number): void {
    const own = (this.#callers.get(caller) ?? 0) + octets;
    const bound = this.#bytesOf?.(caller);
    const most = bound === undefined ? this.#perCaller : Math.max(bound, this.#documentBytes);
    if (own <= most && own <= this.#total - this.#held - octets) return;
    throw new Refusal('unavailable', { retryAfter, cause: `bodies in flight hold ${this.#held} octets` });
  }

  #add(caller: string, octets: number): void {
    this.#held += octets;
    const own = (this.#callers.get(caller) ?? 0) + octets;
    if (own === 0) this.#callers.delete(caller);
    else this.#callers.set(caller, own);
  }
}
