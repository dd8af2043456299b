// What operators do with deliveries by hand: push, retry, drop, release what the brake holds, and see how far everything is.
import { KeyedQueue } from '../documents/keyed-queue.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { DeliveryRecord, DeliveryRequest } from '../store/store.ts';
import type { InterconnectionContext } from './context.ts';
import { entry } from './journal.ts';
import type { Outboxes } from './outboxes.ts';
import type { DeliveryProgress } from './ports.ts';
import type { Primary } from './primary.ts';
import { progressOf } from './progress.ts';

export class Operations {
  readonly #context: InterconnectionContext;
  readonly #primary: Primary;
  readonly #outboxes: Outboxes;
  // What was looked at must still be so when it is journalled as done, whoever else acts meanwhile
  readonly #turns = new KeyedQueue();

  constructor(context: InterconnectionContext, primary: Primary, outboxes: Outboxes) {
    this.#context = context;
    this.#primary = primary;
    this.#outboxes = outboxes;
  }

  /** See OwnFacing.push. */
  async push(partner: string, groupId: string, actor: string): Promise<DeliveryRecord> {
    const canonical = canonicalUri(groupId);
    if (canonical === undefined) throw new Refusal('bad-request', { phrase: 'The group ID is no URI' });
    await this.#primary.checkPush(partner, canonical);
    await this.#queue({ partner, groupId: canonical, action: 'provide' }, 'delivery-queued', actor);
    return this.#delivery(partner, canonical);
  }

  /** See OwnFacing.retryDelivery. */
  async retry(partner: string, groupId: string, actor: string): Promise<void> {
    await this.#turns.run(partner, async () => {
      const { groupId: canonical, action } = await this.#delivery(partner, canonicalUri(groupId) ?? groupId);
      await this.#queue({ partner, groupId: canonical, action }, 'delivery-retried', actor);
    });
  }

  /** See OwnFacing.dropDelivery. */
  async drop(partner: string, groupId: string, actor: string): Promise<void> {
    const { clock, store } = this.#context;
    await this.#turns.run(partner, async () => {
      const { groupId: canonical } = await this.#delivery(partner, canonicalUri(groupId) ?? groupId);
      await store.commit({
        deliveries: [{ write: 'drop', partner, groupId: canonical }],
        journal: [entry(clock, actor, 'delivery-dropped', canonical, { partner })],
      });
    });
  }

  /** See OwnFacing.releaseBrake. */
  async releaseBrake(partner: string, groupId: string | undefined, actor: string): Promise<number> {
    return this.#turns.run(partner, () => this.#release(partner, groupId, actor));
  }

  async #release(partner: string, groupId: string | undefined, actor: string): Promise<number> {
    const { brake, clock, store } = this.#context;
    const canonical = groupId === undefined ? undefined : (canonicalUri(groupId) ?? groupId);
    const held = (await store.deliveries({ partner, state: 'braked' })).filter(
      (delivery) => canonical === undefined || delivery.groupId === canonical,
    );
    if (canonical !== undefined && held.length === 0)
      throw new Refusal('not-found', { phrase: 'No such braked delivery' });
    if (canonical === undefined) {
      await brake.release(partner, 'withdrawal');
      await brake.release(partner, 'removal');
    }
    const subject = canonical ?? `partner:${partner}`;
    const journal = [entry(clock, actor, 'brake-released', subject, { partner, withdrawals: held.length })];
    // What the brake holds is to be withdrawn, whatever it was queued as.
    await store.commit({
      deliveries: held.map(({ groupId: one }) => ({
        write: 'queue',
        delivery: { partner, groupId: one, action: 'withdraw' },
      })),
      journal,
    });
    this.#outboxes.wake(partner, true);
    return held.length;
  }

  /** See OwnFacing.forgetPartner. */
  async forget(partner: string, actor: string): Promise<{ readonly groups: number; readonly deliveries: number }> {
    return this.#turns.run(partner, () => this.#forget(partner, actor));
  }

  async #forget(partner: string, actor: string): Promise<{ readonly groups: number; readonly deliveries: number }> {
    const { clock, current, documents, foreignWrites, places, store } = this.#context;
    if (current().partners.named(partner) !== undefined)
      throw new Refusal('forbidden', { phrase: `${partner} is configured: take it out of the configuration first` });
    const sources = await store.sourceStates(partner);
    const deliveries = await store.deliveries({ partner });
    if (sources.length === 0 && deliveries.length === 0)
      throw new Refusal('not-found', { phrase: `Nothing is kept of a partner ${partner}` });
    for (const { groupId } of sources) {
      await foreignWrites.run(groupId, () => documents.deleteForeign(groupId, actor, {}));
    }
    const counts = { groups: sources.length, deliveries: deliveries.length };
    await store.commit({
      deliveries: deliveries.map(({ groupId }) => ({ write: 'drop', partner, groupId })),
      records: await places.forgotten(partner),
      journal: [entry(clock, actor, 'partner-forgotten', `partner:${partner}`, { partner, ...counts })],
    });
    return counts;
  }

  /** See OwnFacing.deliveryProgress. */
  async progress(): Promise<readonly DeliveryProgress[]> {
    const { current, store } = this.#context;
    const counts = await store.deliveryCounts();
    return current().partners.all.map(({ configuration: { name } }) =>
      progressOf(name, counts, this.#outboxes.status(name)),
    );
  }

  async #queue(
    delivery: DeliveryRequest,
    action: 'delivery-queued' | 'delivery-retried',
    actor: string,
  ): Promise<void> {
    const { clock, store } = this.#context;
    const journal = [entry(clock, actor, action, delivery.groupId, { partner: delivery.partner })];
    await store.commit({ deliveries: [{ write: 'queue', delivery }], journal });
    this.#outboxes.wake(delivery.partner, true);
  }

  async #delivery(partner: string, groupId: string): Promise<DeliveryRecord> {
    const delivery = await this.#context.store.delivery(partner, groupId);
    if (delivery === undefined) throw new Refusal('not-found', { phrase: 'No such delivery' });
    return delivery;
  }
}
