// Tries a subscription at a partner once, as a fetch (RFC 6665 clause 4.4.3: Expires 0): is the SUBSCRIBE accepted, does the NOTIFY come.
import { randomBytes, randomUUID } from 'node:crypto';
import type { WatchProbe } from '../interconnect/ports.ts';
import type { TimerQueue } from './engine/timer-queue.ts';
import type { SubscribeOutcome, SubscribeRequest } from './sip-port.ts';
import { watchRequest } from './watch-request.ts';
import type { PartnerAddress } from './watch-session.ts';

/** Milliseconds in which the NOTIFY must come after the answer. */
const notifyPatience = 5_000;

export interface ProbeSurroundings {
  readonly timers: TimerQueue;
  readonly subscribe: (request: SubscribeRequest) => Promise<SubscribeOutcome>;
  /** Our public service identity. */
  readonly gms: string;
}

export class SubscriptionProbe {
  readonly #surroundings: ProbeSurroundings;
  readonly #callId: string = randomUUID();
  readonly #localTag: string = randomBytes(8).toString('hex');
  readonly #notified = Promise.withResolvers<boolean>();

  constructor(surroundings: ProbeSurroundings) {
    this.#surroundings = surroundings;
  }

  /** Whether a NOTIFY belongs here. */
  matches(callId: string, toTag: string): boolean {
    return callId === this.#callId && toTag === this.#localTag;
  }

  /** A NOTIFY that matches has come. */
  receive(): void {
    this.#notified.resolve(true);
  }

  /** Tries the next hops in order until one answers. Never rejects. */
  async run({ gms, nextHops }: PartnerAddress, groupId: string): Promise<WatchProbe> {
    let last: WatchProbe = { status: 0, notified: false };
    for (const nextHop of nextHops.length === 0 ? [undefined] : nextHops) {
      const { status } = await this.#surroundings.subscribe(this.#request(gms, nextHop, groupId));
      last = { status, notified: false, nextHop };
      if (status >= 200 && status < 300) return { ...last, notified: await this.#inTime() };
      // RFC 3263 4.3: only who does not answer is followed by the next one
      if (status !== 408 && status !== 503) return last;
    }
    return last;
  }

  #inTime(): Promise<boolean> {
    this.#surroundings.timers.after(notifyPatience, { onTimer: () => this.#notified.resolve(false) });
    return this.#notified.promise;
  }

  #request(partnerGms: string, nextHop: string | undefined, groupId: string): SubscribeRequest {
    const { gms } = this.#surroundings;
    const [callId, localTag] = [this.#callId, this.#localTag];
    return watchRequest({ gms, partnerGms, nextHop, callId, localTag, expires: 0, groups: [groupId] });
  }
}
