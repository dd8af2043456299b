// The outbox of one partner: takes due deliveries from the store, sends each, records what came of it, and knows when to try again.
// All state that matters is in the store; a crash between the partner's answer and our record is healed by repeating the delivery.
import type { PartnerConfiguration } from '../config/schema.ts';
import type { Commit, DeliveryRecord, DeliveryState, JournalEntry, RecordWrite, Store } from '../store/store.ts';
import { inactivity, isToBeUndone } from './agreement.ts';
import { type BackoffSettings, retryDelay } from './backoff.ts';
import { type Clock, isoTime } from './clock.ts';
import { deliver } from './delivering.ts';
import type { Places } from './places.ts';
import type { PartnerGms, ProvideOutcome } from './ports.ts';

/**
 * What a delivery is to carry, made at the moment of sending. `impossible` = sending it now or again makes no sense; `braked` = it waits
 * for an operator; `later` = we are too busy ourselves.
 */
export type DeliveryContent =
  | { readonly content: 'provide'; readonly bytes: Uint8Array }
  | { readonly content: 'withdraw' }
  | { readonly content: 'impossible'; readonly reason: string }
  | { readonly content: 'braked'; readonly reason: string }
  | { readonly content: 'later'; readonly reason: string };

export interface OutboxOptions {
  /** The partner as configured now. */
  readonly partner: () => PartnerConfiguration;
  readonly retry: () => BackoffSettings;
  readonly store: Pick<Store, 'dueDeliveries' | 'waitingDeliveries' | 'commit'>;
  readonly gms: Pick<PartnerGms, 'provide' | 'withdraw'>;
  readonly places: Pick<Places, 'of' | 'settled'>;
  /** Never rejects. */
  readonly content: (delivery: DeliveryRecord) => Promise<DeliveryContent>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Hears of every attempt that reached out to the partner, for metrics. */
  readonly onAttempt?: ((attempt: DeliveryAttempt) => void) | undefined;
  /** Hears of faults of our own: the store failed, a policy threw. */
  readonly onFault: (fault: unknown) => void;
}

/** One attempt to deliver, as it ended. */
export interface DeliveryAttempt {
  readonly partner: string;
  readonly outcome: ProvideOutcome['outcome'];
  readonly milliseconds: number;
}

/**
 * Whether a partner is sent to. `closed`: as usual. `open`: it failed, nothing is sent before `until`. `half-open`: one delivery at a
 * time finds out whether it is back.
 */
export interface OutboxStatus {
  readonly circuit: 'closed' | 'open' | 'half-open';
  /** ISO 8601; with `open`. */
  readonly until?: string | undefined;
  /** Deliveries under way now. */
  readonly inFlight: number;
}

/** Deliveries of different groups to one partner that may be under way at once. */
const concurrency = 4;
/** So many more may be under way when they are urgent, so that slow bulk never keeps them. */
const urgentExtra = 2;
/** Failures in a row after which the partner itself is taken to be out of reach. */
const failuresUntilPause = 3;

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #underWay = new Map<string, Promise<void>>();
  #failuresInRow = 0;
  /** Nothing is sent before this instant, milliseconds. */
  #pausedUntil = 0;
  /** Set when an unreachable partner answers again: waiting deliveries then go at once. */
  #catchingUp = false;
  #wanted = false;
  #round: Promise<void> | undefined;
  #stopped = false;
  #cancelTimer: () => void = () => undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Looks for due deliveries soon. `impatient` also ends a pause: an operator or a new address asks for it. */
  wake(impatient = false): void {
    if (impatient) {
      this.#pausedUntil = 0;
      this.#failuresInRow = 0;
    }
    this.#wanted = true;
    this.#round ??= this.#rounds().finally(() => {
      this.#round = undefined;
    });
  }

  get status(): OutboxStatus {
    const inFlight = this.#underWay.size;
    if (this.#options.clock.now() < this.#pausedUntil) {
      return { circuit: 'open', until: isoTime(this.#pausedUntil), inFlight };
    }
    return { circuit: this.#failuresInRow >= failuresUntilPause ? 'half-open' : 'closed', inFlight };
  }

  /** Starts nothing new; resolves when deliveries under way have been recorded. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    await this.#round;
    await Promise.all(this.#underWay.values());
  }

  /** Resolves when nothing is under way and no round runs; for tests and draining. */
  async idle(): Promise<void> {
    while (this.#round !== undefined || this.#underWay.size > 0) {
      await this.#round;
      await Promise.all(this.#underWay.values());
    }
  }

  async #rounds(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      this.#cancelTimer();
      try {
        await this.#sendDue();
      } catch (fault) {
        this.#options.onFault(fault);
        this.#wakeAt(this.#options.clock.now() + this.#pause(1));
      }
    }
  }

  async #sendDue(): Promise<void> {
    const { clock, store } = this.#options;
    const partner = this.#options.partner();
    const now = clock.now();
    const agreement = partner.agreement;
    // An agreement that is over lets nothing pass but what undoes it.
    if (inactivity(agreement, now) !== undefined && !isToBeUndone(agreement, now)) {
      const from = agreement.state === 'active' ? Date.parse(agreement.validFrom ?? '') : Number.NaN;
      if (from > now) this.#wakeAt(from);
      return;
    }
    if (now < this.#pausedUntil) return this.#wakeAt(this.#pausedUntil);
    // One probe is enough to learn that an unreachable partner is back.
    const probing = this.#failuresInRow > 0;
    const free = (probing ? 1 : concurrency) - this.#underWay.size;
    const freeForUrgent = free + (probing ? 0 : urgentExtra);
    if (freeForUrgent <= 0) return;
    const until = this.#catchingUp ? isoTime(8.64e15) : isoTime(now);
    const due = await store.dueDeliveries(partner.name, until, freeForUrgent + this.#underWay.size);
    const next = due
      .filter(({ groupId }) => !this.#underWay.has(groupId))
      .filter(({ urgent }, place) => place < (urgent === true ? freeForUrgent : free));
    if (this.#stopped) return;
    for (const delivery of next) this.#begin(partner.name, delivery);
    if (next.length > 0 || free <= 0) return;
    this.#catchingUp = false;
    await this.#sleepUntilNext(partner.name);
  }

  async #sleepUntilNext(partner: string): Promise<void> {
    const waiting = await this.#options.store.waitingDeliveries(partner, this.#underWay.size + 1);
    const next = waiting.find(({ groupId }) => !this.#underWay.has(groupId));
    if (next !== undefined) this.#wakeAt(Date.parse(next.notBefore ?? '') || this.#options.clock.now());
  }

  #wakeAt(time: number): void {
    this.#cancelTimer();
    if (!this.#stopped)
      this.#cancelTimer = this.#options.clock.after(time - this.#options.clock.now(), () => this.wake());
  }

  #begin(partner: string, delivery: DeliveryRecord): void {
    const work = this.#deliver(partner, delivery)
      .catch((fault: unknown) => {
        this.#options.onFault(fault);
        // Not recorded: the row is still due, so the next look waits a little.
        this.#pausedUntil = this.#options.clock.now() + this.#pause(1);
      })
      .finally(() => {
        this.#underWay.delete(delivery.groupId);
        this.wake();
      });
    this.#underWay.set(delivery.groupId, work);
  }

  async #deliver(partner: string, delivery: DeliveryRecord): Promise<void> {
    const content = await this.#options.content(delivery);
    if (content.content === 'impossible') {
      await this.#record(delivery, { state: 'parked', outcome: content.reason, action: 'delivery-refused' });
      return;
    }
    if (content.content === 'braked') {
      await this.#record(delivery, { state: 'braked', outcome: content.reason, action: 'delivery-braked' });
      return;
    }
    if (content.content === 'later') {
      await this.#recordRetry(delivery, content.reason, this.#options.clock.now());
      return;
    }
    const begun = this.#options.clock.now();
    const { gms, places } = this.#options;
    const { groupId, partnerTag } = delivery;
    const whereabouts = await places.of(this.#options.partner(), groupId);
    const outcome = await deliver(gms, partner, groupId, partnerTag, content, whereabouts);
    const milliseconds = this.#options.clock.now() - begun;
    this.#options.onAttempt?.({ partner, outcome: outcome.outcome, milliseconds });
    if (outcome.outcome === 'failed') {
      await this.#recordFailure(delivery, outcome.reason, outcome.retryAfter);
      return;
    }
    if (this.#failuresInRow >= failuresUntilPause) this.#catchingUp = true;
    this.#failuresInRow = 0;
    if (outcome.outcome === 'refused') {
      const { status, reason: why } = outcome;
      // What is told of an answer may begin with its status, or be no more than that.
      const reason = `${why} `.startsWith(`${status} `) ? `refused with ${why}` : `refused with ${status}: ${why}`;
      await this.#record(delivery, { state: 'parked', outcome: reason, action: 'delivery-refused' });
    } else {
      const stored = outcome.created ? 'created at the partner' : 'stored by the partner';
      const done = content.content === 'withdraw' ? 'withdrawn' : stored;
      await this.#record(delivery, {
        state: 'delivered',
        outcome: outcome.note === undefined ? done : `${done}; ${outcome.note}`,
        action: 'delivery-succeeded',
        ...(outcome.tag === undefined ? {} : { partnerTag: outcome.tag }),
        records: whereabouts.before.length === 0 ? [] : [places.settled(partner, groupId, whereabouts)],
      });
    }
  }

  async #recordFailure(delivery: DeliveryRecord, reason: string, asked: number | undefined): Promise<void> {
    const now = this.#options.clock.now();
    this.#failuresInRow++;
    this.#catchingUp = false;
    const silent = this.#failuresInRow - failuresUntilPause + 1;
    if (silent > 0 || asked !== undefined) this.#pausedUntil = now + this.#partnerPause(Math.max(silent, 1), asked);
    // Behind the partner's pause, so that after it the others have their turn before the one that failed.
    await this.#recordRetry(delivery, reason, this.#pausedUntil > now ? this.#pausedUntil + this.#pause(1) : now);
  }

  async #recordRetry(delivery: DeliveryRecord, reason: string, earliest: number): Promise<void> {
    const time = Math.max(this.#options.clock.now() + this.#pause(delivery.attempts + 1), earliest);
    await this.#record(delivery, {
      state: 'queued',
      outcome: reason,
      action: 'delivery-failed',
      notBefore: isoTime(time),
    });
  }

  // Half the ceiling: with the turn of the others added, no delivery waits longer than the whole.
  #partnerPause(failures: number, asked: number | undefined): number {
    const retry = this.#options.retry();
    const settings = { ...retry, ceiling: retry.ceiling / 2 };
    return retryDelay(settings, failures, this.#options.random(), asked);
  }

  #pause(failures: number): number {
    return retryDelay(this.#options.retry(), failures, this.#options.random());
  }

  async #record(
    delivery: DeliveryRecord,
    result: {
      readonly state: DeliveryState;
      readonly outcome: string;
      readonly action: string;
      readonly notBefore?: string;
      readonly partnerTag?: string;
      readonly records?: readonly RecordWrite[];
    },
  ): Promise<void> {
    const { partner, groupId, sequence } = delivery;
    const { action, records = [], ...settled } = result;
    const attempts = delivery.attempts + 1;
    const entry: JournalEntry = {
      at: isoTime(this.#options.clock.now()),
      actor: 'system',
      action,
      subject: groupId,
      detail: { partner, delivery: delivery.action, attempts, outcome: result.outcome },
    };
    const commit: Commit = {
      deliveries: [{ write: 'settle', partner, groupId, sequence, attempts, ...settled }],
      journal: [entry],
    };
    const { outcome } = await this.#options.store.commit({ ...commit, records });
    // Other records by now: the partner takes groups at yet another place, and a newer delivery will see to that.
    if (outcome === 'conflict') await this.#options.store.commit(commit);
  }
}
