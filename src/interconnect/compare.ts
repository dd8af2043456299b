// One group on both sides of the border: equal, different, or missing on one of them. Asks the partner, changes nothing.
import type { ServedDocument } from '../documents/documents.ts';
import { Refusal } from '../refusals.ts';
import { isCovered, listsOf } from './agreement.ts';
import type { InterconnectionContext } from './context.ts';
import { causeOf } from './journal.ts';
import type { OutboundViews } from './outbound.ts';
import type { PartnerSettings } from './partners.ts';
import type { FetchOutcome, PartnerView, ReconcileState } from './ports.ts';
import type { Primary } from './primary.ts';

export interface Compared {
  readonly groupId: string;
  readonly state: ReconcileState;
  /** Where the group is defined; absent = nowhere that we know. */
  readonly home?: 'here' | 'there' | undefined;
  /** Why, where the state alone does not say it. */
  readonly detail?: string | undefined;
  /** The partner did not answer. */
  readonly noAnswer?: boolean | undefined;
}

export class Comparison {
  readonly #context: InterconnectionContext;
  readonly #primary: Primary;
  readonly #views: OutboundViews;

  constructor(context: InterconnectionContext, primary: Primary, views: OutboundViews) {
    this.#context = context;
    this.#primary = primary;
    this.#views = views;
  }

  /** Compares one group (canonical ID) with what the partner holds. Never rejects for what the partner does. */
  async compare(partnerName: string, groupId: string, signal: AbortSignal): Promise<Compared> {
    const { partners } = this.#context.current();
    const partner = partners.named(partnerName);
    if (partner === undefined) return { groupId, state: 'unknown', detail: 'the partner is configured no more' };
    const home = partners.isHomed(groupId) ? 'here' : 'there';
    try {
      return home === 'here'
        ? await this.#ours(partner, groupId, signal)
        : await this.#theirs(partner, groupId, signal);
    } catch (error) {
      if (!(error instanceof Refusal)) this.#context.onFault(error);
      const { code, cause } = causeOf(error);
      return { groupId, home, state: 'unknown', detail: code === cause ? code : `${code}: ${cause}` };
    }
  }

  async #ours(partner: PartnerSettings, groupId: string, signal: AbortSignal): Promise<Compared> {
    const { configuration } = partner;
    const { gms, store } = this.#context;
    const wanted = configuration.provide.to !== 'none' && (await this.#primary.isToBeProvided(configuration, groupId));
    const document = await this.#context.documents.findGroup(groupId);
    const { view, withheld } = await this.#view(partner, groupId, document);
    const delivery = await store.delivery(configuration.name, groupId);
    const delivered =
      delivery?.action === 'provide' && delivery.state === 'delivered' ? delivery.partnerTag : undefined;
    const known = view === undefined ? [] : [view.tag, ...(delivered === undefined ? [] : [delivered])];
    const answer = await gms.held(configuration.name, groupId, known, signal);
    const about = { groupId, home: 'here' } as const;
    switch (answer.outcome) {
      case 'unchanged':
        return { ...about, state: 'equal' };
      case 'absent': {
        if (!wanted || withheld !== undefined) return { ...about, state: 'equal' };
        const detail = delivery === undefined ? undefined : `the delivery is ${delivery.state}`;
        return { ...about, state: 'missing there', detail };
      }
      case 'fetched': {
        if (document === undefined) return { ...about, state: 'missing here', detail: 'it is defined here no more' };
        if (!isCovered(configuration.agreement, listsOf.outbound, groupId))
          return { ...about, state: 'differs', detail: 'the agreement does not cover it any more' };
        if (view === undefined) return { ...about, state: 'differs', detail: withheld };
        const isOurs =
          Buffer.compare(answer.bytes, view.bytes) === 0 || (answer.tag !== undefined && answer.tag === delivered);
        if (!isOurs) return { ...about, state: 'differs', detail: delivery && `the delivery is ${delivery.state}` };
        if (wanted || !isCovered(configuration.agreement, ['weProvide'], groupId)) return { ...about, state: 'equal' };
        return { ...about, state: 'differs', detail: 'it has no member of the partner any more' };
      }
      default:
        return unanswered(about, answer);
    }
  }

  async #view(
    partner: PartnerSettings,
    groupId: string,
    document: ServedDocument | undefined,
  ): Promise<{ readonly view?: PartnerView; readonly withheld?: string }> {
    if (document?.key.tree !== 'users') return {};
    try {
      return { view: await this.#views.of(partner, groupId, document) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { withheld: `the outbound policy withholds it: ${causeOf(error).cause}` };
    }
  }

  async #theirs(partner: PartnerSettings, groupId: string, signal: AbortSignal): Promise<Compared> {
    const { documents, gms } = this.#context;
    const held = await documents.findSource(groupId);
    const about = { groupId, home: 'there' } as const;
    const answer = await gms.fetch(partner.configuration.name, groupId, held?.primaryTag, signal);
    switch (answer.outcome) {
      case 'unchanged':
        return { ...about, state: 'equal' };
      case 'absent':
        return { ...about, state: held === undefined ? 'equal' : 'missing there' };
      case 'fetched':
        if (held === undefined) return { ...about, state: 'missing here' };
        return { ...about, state: Buffer.compare(answer.bytes, held.bytes) === 0 ? 'equal' : 'differs' };
      default:
        return unanswered(about, answer);
    }
  }
}

function unanswered(
  about: Pick<Compared, 'groupId' | 'home'>,
  answer: Extract<FetchOutcome, { outcome: 'refused' | 'failed' }>,
): Compared {
  if (answer.outcome === 'failed') return { ...about, state: 'unknown', detail: answer.reason, noAnswer: true };
  return { ...about, state: 'unknown', detail: `${answer.status}: ${answer.reason}` };
}
