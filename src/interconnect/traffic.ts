// What a partner may cost us: requests a second and at once, connections, subscriptions. Each partner has a measure of its own, so that
// whatever one of them does, the others find the gateway as it was.
import type { PartnerConfiguration } from '../config/schema.ts';
import { Refusal } from '../refusals.ts';

export type TrafficLimits = PartnerConfiguration['limits'];

/** Why a partner was told to come later. */
export type TrafficCause =
  | 'requests a second'
  | 'concurrent requests'
  | 'connections'
  | 'SUBSCRIBEs a second'
  | 'subscriptions';

export interface TrafficOptions {
  /** Undefined for a partner that is configured no more. */
  readonly limitsOf: (partner: string) => TrafficLimits | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Tokens that are filled up at a rate; as many as two seconds bring may be saved. */
interface Bucket {
  tokens: number;
  filledAt: number;
}

interface Measures {
  readonly requests: Bucket;
  readonly subscribes: Bucket;
  running: number;
}

const secondsSaved = 2;
/** Seconds after which places that are taken now are likely to be free. */
const soon = 1;
/** Seconds after which a partner with too many subscriptions may ask again. */
const later = 60;

export class PartnerTraffic {
  readonly #options: TrafficOptions;
  readonly #measures = new Map<string, Measures>();

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  /**
   * Admits one request to the CSC-16 face; the result is to be called once when it has been answered. Throws `rate-exceeded` (429) when the
   * partner asks too often, `unavailable` (503) when too much of it is under way.
   */
  beginRequest(partner: string): () => void {
    const limits = this.#options.limitsOf(partner);
    if (limits === undefined) return () => undefined;
    const measures = this.#of(partner, limits);
    const wait = this.#take(measures.requests, limits.requestsPerSecond);
    if (wait > 0) throw this.#refusal('rate-exceeded', 'requests a second', wait);
    if (measures.running >= limits.concurrentRequests) {
      throw this.#refusal('unavailable', 'concurrent requests', soon);
    }
    measures.running += 1;
    let isOpen = true;
    return () => {
      if (isOpen) measures.running -= 1;
      isOpen = false;
    };
  }

  /** Throws `unavailable` when a partner with `open` other connections may not have one more. */
  checkConnection(partner: string, open: number): void {
    const limits = this.#options.limitsOf(partner);
    if (limits !== undefined && open >= limits.connections) {
      throw this.#refusal('unavailable', 'connections', soon);
    }
  }

  /** Admits a SUBSCRIBE. `others`: subscriptions that the partner has beside it. Throws `unavailable`. */
  checkSubscribe(partner: string, others: number): void {
    const limits = this.#options.limitsOf(partner);
    if (limits === undefined) return;
    const wait = this.#take(this.#of(partner, limits).subscribes, limits.subscribesPerSecond);
    if (wait > 0) throw this.#refusal('unavailable', 'SUBSCRIBEs a second', wait);
    if (others >= limits.subscriptions) throw this.#refusal('unavailable', 'subscriptions', later);
  }

  #of(partner: string, { requestsPerSecond, subscribesPerSecond }: TrafficLimits): Measures {
    let measures = this.#measures.get(partner);
    if (measures === undefined) {
      const full = (rate: number): Bucket => ({ tokens: most(rate), filledAt: this.#options.now() });
      measures = { requests: full(requestsPerSecond), subscribes: full(subscribesPerSecond), running: 0 };
      this.#measures.set(partner, measures);
    }
    return measures;
  }

  /** Seconds to wait for a token; 0 = one was taken. */
  #take(bucket: Bucket, rate: number): number {
    const now = this.#options.now();
    const brought = (Math.max(0, now - bucket.filledAt) / 1000) * rate;
    bucket.tokens = Math.min(most(rate), bucket.tokens + brought);
    bucket.filledAt = now;
    if (bucket.tokens < 1) return (1 - bucket.tokens) / rate;
    bucket.tokens -= 1;
    return 0;
  }

  #refusal(code: 'rate-exceeded' | 'unavailable', cause: TrafficCause, seconds: number): Refusal {
    return new Refusal(code, { retryAfter: Math.max(1, Math.ceil(seconds)), cause: `limit of the partner: ${cause}` });
  }
}

function most(rate: number): number {
  return Math.max(1, rate * secondsSaved);
}
