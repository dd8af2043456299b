// Protection against floods: a token bucket for each source address before anything is parsed, and a much smaller one for
// refusals of garbage and of what was too much, so that nobody is hit through us (no reflection).
const SOURCES_LIMIT = 20_000;

/** Rates per source address, per second; a burst of twice the rate is let through. */
export interface FloodLimits {
  readonly requests: number;
  readonly refusals: number;
  /** Unanswered requests in all; more are answered 503. */
  readonly pending: number;
  /** Server transactions in all, answered ones included. */
  readonly transactions: number;
}

/** Ten times what the busiest proxy in front is expected to bring; see docs/ENGINE.md. */
export const FLOOD_LIMITS: FloodLimits = { requests: 10_000, refusals: 200, pending: 8_192, transactions: 400_000 };

interface Bucket {
  requests: number;
  refusals: number;
  filled: number;
}

/** What happens to a request: `drop` leaves it unanswered. */
export type Admission = 'serve' | 'refuse' | 'drop';

export class FloodGuard {
  readonly limits: FloodLimits;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: FloodLimits, now: () => number) {
    this.limits = limits;
    this.#now = now;
  }

  /** Source addresses that are remembered. */
  get sources(): number {
    return this.#buckets.size;
  }

  /** Takes one request of this source: to be served, or, when it has sent too many, to be refused while that is allowed. */
  admit(source: string): Admission {
    const bucket = this.#bucket(source);
    if (bucket.requests < 1) return this.mayRefuse(source) ? 'refuse' : 'drop';
    bucket.requests--;
    return 'serve';
  }

  /** Takes one refusal towards this source; false when the next garbage goes unanswered. */
  mayRefuse(source: string): boolean {
    const bucket = this.#bucket(source);
    if (bucket.refusals < 1) return false;
    bucket.refusals--;
    return true;
  }

  #bucket(source: string): Bucket {
    const now = this.#now();
    let bucket = this.#buckets.get(source);
    if (!bucket) {
      if (this.#buckets.size >= SOURCES_LIMIT) this.#forgetOldest();
      bucket = { requests: this.limits.requests * 2, refusals: this.limits.refusals * 2, filled: now };
      this.#buckets.set(source, bucket);
      return bucket;
    }
    const seconds = (now - bucket.filled) / 1000;
    bucket.filled = now;
    bucket.requests = Math.min(this.limits.requests * 2, bucket.requests + seconds * this.limits.requests);
    bucket.refusals = Math.min(this.limits.refusals * 2, bucket.refusals + seconds * this.limits.refusals);
    return bucket;
  }

  /** Spoofed sources are many and short-lived: the older half goes. */
  #forgetOldest(): void {
    let count = this.#buckets.size / 2;
    for (const source of this.#buckets.keys()) {
      if (count-- <= 0) return;
      this.#buckets.delete(source);
    }
  }
}
