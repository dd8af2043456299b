// Brings one group that was found to differ in line again: by a delivery where it is ours, by a request where it is the partner's.
// What takes a group away passes the brake, whoever asked for the repair.
import { Refusal } from '../refusals.ts';
import { isCovered } from './agreement.ts';
import type { Compared } from './compare.ts';
import type { InterconnectionContext } from './context.ts';
import { causeOf, entry } from './journal.ts';
import type { Outboxes } from './outboxes.ts';
import type { PartnerSettings } from './partners.ts';
import type { Primary } from './primary.ts';
import type { Requests } from './request.ts';

/** What was done about a finding. */
export interface Repaired {
  readonly done: boolean;
  /** For operators. */
  readonly told: string;
}

export class Repair {
  readonly #context: InterconnectionContext;
  readonly #primary: Primary;
  readonly #outboxes: Pick<Outboxes, 'wake'>;
  readonly #requests: Requests;

  constructor(context: InterconnectionContext, primary: Primary, outboxes: Pick<Outboxes, 'wake'>, requests: Requests) {
    this.#context = context;
    this.#primary = primary;
    this.#outboxes = outboxes;
    this.#requests = requests;
  }

  /** Repairs what can be repaired from here; undefined when there is nothing to repair. Never rejects for what the partner does. */
  async repair(partnerName: string, compared: Compared, actor: string): Promise<Repaired | undefined> {
    const { state, groupId, home } = compared;
    const partner = this.#context.current().partners.named(partnerName);
    if (partner === undefined || state === 'equal' || state === 'unknown') return undefined;
    try {
      return home === 'here' ? await this.#deliver(partner, groupId, actor) : await this.#request(groupId, actor);
    } catch (error) {
      if (!(error instanceof Refusal)) this.#context.onFault(error);
      const { code, cause } = causeOf(error);
      return { done: false, told: code === cause ? code : `${code}: ${cause}` };
    }
  }

  async #deliver({ configuration }: PartnerSettings, groupId: string, actor: string): Promise<Repaired> {
    const { name, provide, agreement } = configuration;
    const isWanted = provide.to !== 'none' && (await this.#primary.isToBeProvided(configuration, groupId));
    if (isWanted) {
      await this.#primary.checkPush(name, groupId);
      await this.#queue(name, groupId, 'provide', undefined, actor);
      return { done: true, told: 'delivery queued' };
    }
    if (provide.to === 'none' && isCovered(agreement, ['theyRequest'], groupId))
      return { done: false, told: 'the partner pulls: only it can renew what it holds' };
    const braked = await this.#primary.brakeReason(configuration, 1);
    await this.#queue(name, groupId, 'withdraw', braked, actor);
    return braked === undefined
      ? { done: true, told: 'withdrawal queued' }
      : { done: false, told: `braked: ${braked}` };
  }

  async #queue(
    partner: string,
    groupId: string,
    action: 'provide' | 'withdraw',
    braked: string | undefined,
    actor: string,
  ): Promise<void> {
    const { clock, store } = this.#context;
    await store.commit({
      deliveries: [{ write: 'queue', delivery: { partner, groupId, action, braked } }],
      journal: [entry(clock, actor, 'delivery-queued', groupId, { partner, cause: 'reconciled', delivery: action })],
    });
    if (braked === undefined) this.#outboxes.wake(partner);
  }

  async #request(groupId: string, actor: string): Promise<Repaired> {
    this.#requests.requestable(groupId);
    const pulled = await this.#requests.refresh(groupId, actor, 'braked');
    return { done: true, told: pulled.outcome === 'stored' ? 'pulled' : pulled.outcome };
  }
}
