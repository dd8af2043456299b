// The outboxes of all partners: each has one, and none waits for another.
import { LRUCache } from 'lru-cache';
import type { DeliveryRequest } from '../store/store.ts';
import type { InterconnectionContext } from './context.ts';
import { type DeliveryAttempt, Outbox, type OutboxStatus } from './outbox.ts';
import type { Primary } from './primary.ts';

/** Groups being written at once of which is known whom the change concerns; of more all partners are looked after. */
const mostWrites = 10_000;

export class Outboxes {
  readonly #context: InterconnectionContext;
  readonly #primary: Pick<Primary, 'content'>;
  readonly #onAttempt: ((attempt: DeliveryAttempt) => void) | undefined;
  readonly #outboxes = new Map<string, Outbox>();
  /** Aborts when deliveries under way must end. */
  readonly #ending = new AbortController();
  /** Partners whose deliveries are about to be committed, by group. */
  readonly #concerned = new LRUCache<string, readonly string[]>({
    max: mostWrites,
    dispose: (_partners, _group, reason) => {
      if (reason === 'evict') this.wakeAll();
    },
  });

  /** `onAttempt` hears of every attempt that reached out to a partner. */
  constructor(
    context: InterconnectionContext,
    primary: Pick<Primary, 'content'>,
    onAttempt: ((attempt: DeliveryAttempt) => void) | undefined,
  ) {
    this.#context = context;
    this.#primary = primary;
    this.#onAttempt = onAttempt;
  }

  /** Notes which partners a change of a group is about to concern, once it is committed. */
  expect(groupId: string, deliveries: readonly DeliveryRequest[]): void {
    if (deliveries.length === 0) return;
    const partners = [...(this.#concerned.get(groupId) ?? []), ...deliveries.map(({ partner }) => partner)];
    this.#concerned.set(groupId, [...new Set(partners)]);
  }

  /** A change of this group was committed: its deliveries are due. */
  committed(groupId: string): void {
    const partners = this.#concerned.get(groupId) ?? [];
    this.#concerned.delete(groupId);
    for (const partner of partners) this.wake(partner);
  }

  /** Looks for due deliveries of a partner soon. `impatient` also ends a pause. */
  wake(partner: string, impatient = false): void {
    this.#outboxes.get(partner)?.wake(impatient);
  }

  wakeAll(): void {
    for (const outbox of this.#outboxes.values()) outbox.wake();
  }

  status(partner: string): OutboxStatus {
    return this.#outboxes.get(partner)?.status ?? { circuit: 'closed', inFlight: 0 };
  }

  /** Brings the outboxes in line with the partners of now. */
  follow(): void {
    const { partners } = this.#context.current();
    for (const { configuration } of partners.all) {
      const { name } = configuration;
      // A partner that pulls has one too: what it was given before is withdrawn when it ends.
      if (!this.#outboxes.has(name)) this.#outboxes.set(name, this.#make(name));
    }
    for (const [name, outbox] of this.#outboxes) {
      if (partners.named(name) !== undefined) outbox.wake(true);
      else {
        this.#outboxes.delete(name);
        void outbox.stop();
      }
    }
  }

  /** Ends the requests under way. */
  abort(reason: Error): void {
    this.#ending.abort(reason);
  }

  /** Starts nothing new; resolves when deliveries under way have been recorded. */
  async stop(): Promise<void> {
    await Promise.all([...this.#outboxes.values()].map((outbox) => outbox.stop()));
  }

  /** Resolves when nothing is under way and no round runs. */
  async idle(): Promise<void> {
    await Promise.all([...this.#outboxes.values()].map((outbox) => outbox.idle()));
  }

  #make(name: string): Outbox {
    const { clock, current, gms, onFault, random, store } = this.#context;
    const { signal } = this.#ending;
    let last = current().partners.named(name)?.configuration;
    return new Outbox({
      partner: () => {
        last = current().partners.named(name)?.configuration ?? last;
        if (last === undefined) throw new Error(`partner ${name} was never configured`);
        return last;
      },
      retry: () => current().settings.interconnect.retry,
      content: (delivery) => this.#primary.content(delivery),
      store,
      places: this.#context.places,
      gms: {
        provide: (partner, groupId, bytes, knownTag, _signal, place) =>
          gms.provide(partner, groupId, bytes, knownTag, signal, place),
        withdraw: (partner, groupId, knownTag, _signal, place) =>
          gms.withdraw(partner, groupId, knownTag, signal, place),
      },
      clock,
      random,
      onAttempt: this.#onAttempt,
      onFault,
    });
  }
}
