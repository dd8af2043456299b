// Our side as the primary of a group: which deliveries a change causes (flow A, step 1), what they carry, and the answer to a partner's
// request (flow B, step 2). TS 23.280 clause 10.2.7.
import type { PartnerConfiguration } from '../config/schema.ts';
import { groupsAuid } from '../documents/application-usage.ts';
import type { PendingGroupChange, ServedDocument } from '../documents/documents.ts';
import type { PartnerPrincipal } from '../identity/principal.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { DeliveryRecord, DeliveryRequest } from '../store/store.ts';
import type { GroupFacts } from '../xml/group-document.ts';
import { isCovered, isToBeUndone, judgeAgreement, listsOf, notActive } from './agreement.ts';
import type { InterconnectionContext } from './context.ts';
import { causeOf, entry } from './journal.ts';
import type { OutboundViews } from './outbound.ts';
import type { DeliveryContent } from './outbox.ts';
import { hasMemberOf, type PartnerSettings } from './partners.ts';
import type { PartnerView } from './ports.ts';

/** Groups read from the store at a time while all are looked through. */
const pageSize = 500;
/** That the brake holds is journalled once in this time, milliseconds. */
const brakingMemory = 60_000;

/** Preconditions without which the group has nothing to do at the partner. */
const withdrawing: ReadonlySet<string> = new Set([
  'group-not-homed-here',
  'no-member-of-partner',
  'agreement-does-not-cover',
]);

export class Primary {
  readonly #context: InterconnectionContext;
  readonly #views: OutboundViews;
  readonly #brakings = new Map<string, number>();

  constructor(context: InterconnectionContext, views: OutboundViews) {
    this.#context = context;
    this.#views = views;
  }

  /**
   * Deliveries that a change of a home group causes: provision to each partner that the agreement covers and that has a member,
   * withdrawal where it was provided before and is not to be any more. A suspended agreement queues too; the outbox waits for it.
   */
  async deliveriesOf(change: PendingGroupChange): Promise<readonly DeliveryRequest[]> {
    const requests = this.#context
      .current()
      .partners.all.map((partner) => this.#deliveryFor(partner.configuration, change));
    return (await Promise.all(requests)).filter((request) => request !== undefined);
  }

  async #deliveryFor(
    partner: PartnerConfiguration,
    { groupId, before, after: group }: PendingGroupChange,
  ): Promise<DeliveryRequest | undefined> {
    const urgent = [before, group].some((facts) => facts !== undefined && isRegroup(facts));
    const request = { partner: partner.name, groupId, urgent } as const;
    if (group !== undefined && isToBeProvided(partner, groupId, group, this.#context.clock.now()))
      return partner.provide.to === 'none' ? undefined : { ...request, action: 'provide' };
    // Also of a partner that pulls: what it was given while it did not must not stay there for ever.
    const earlier = await this.#context.store.delivery(partner.name, groupId);
    if (earlier?.action !== 'provide') return undefined;
    // Temporary groups end together when an operation ends; that must not wait.
    const isTemporary = before?.listServices.some(({ temporary }) => temporary) ?? false;
    const braked = isTemporary ? undefined : await this.brakeReason(partner, 1);
    return { ...request, action: 'withdraw', braked };
  }

  /**
   * Why `count` withdrawals from a partner must wait for an operator; undefined when they may go, and then they count. The end of an
   * agreement with `atEnd: withdraw` was decided by people when they wrote it down.
   */
  async brakeReason(partner: PartnerConfiguration, count: number): Promise<string | undefined> {
    const { brake, clock, store } = this.#context;
    if (count === 0 || isToBeUndone(partner.agreement, clock.now())) return undefined;
    const provided = async (): Promise<number> => {
      const counts = await store.deliveryCounts(partner.name);
      return counts.filter(({ action }) => action === 'provide').reduce((sum, one) => sum + one.count, 0);
    };
    const reason = await brake.hold(partner.name, 'withdrawal', count, provided);
    if (reason !== undefined) await this.#journalBraked(partner.name, reason);
    return reason;
  }

  async #journalBraked(partner: string, reason: string): Promise<void> {
    const { clock, store } = this.#context;
    const last = this.#brakings.get(partner);
    if (last !== undefined && clock.now() - last < brakingMemory) return;
    this.#brakings.set(partner, clock.now());
    await store.commit({
      journal: [entry(clock, 'system', 'deliveries-braked', `partner:${partner}`, { partner, cause: reason })],
    });
  }

  /**
   * What a delivery carries when it is sent now. A group that since then is gone, has no member of the partner or is covered no more is
   * withdrawn, whatever was queued.
   */
  async content(delivery: DeliveryRecord): Promise<DeliveryContent> {
    if (delivery.action === 'withdraw') return { content: 'withdraw' };
    try {
      const partner = this.#partner(delivery.partner);
      const document = await this.#providable(partner, delivery.groupId);
      const view = await this.#views.of(partner, delivery.groupId, document);
      return { content: 'provide', bytes: view.bytes };
    } catch (error) {
      if (!(error instanceof Refusal)) this.#context.onFault(error);
      const { code, cause } = causeOf(error);
      if (withdrawing.has(code)) return await this.#withdrawal(delivery);
      const reason = code === cause ? code : `${code}: ${cause}`;
      return code === 'unavailable' ? { content: 'later', reason } : { content: 'impossible', reason };
    }
  }

  // Queued as a provision, it passed no brake yet.
  async #withdrawal({ partner: name }: DeliveryRecord): Promise<DeliveryContent> {
    const partner = this.#context.current().partners.named(name)?.configuration;
    const reason = partner === undefined ? undefined : await this.brakeReason(partner, 1);
    return reason === undefined ? { content: 'withdraw' } : { content: 'braked', reason };
  }

  /** Checks the preconditions of flow A for an operator's push; throws the Refusal of the first that does not hold. */
  async checkPush(partnerName: string, groupId: string): Promise<void> {
    const partner = this.#partner(partnerName);
    await this.#providable(partner, groupId);
  }

  /** TS 23.280 clause 10.2.7, preconditions of provision: defined here, authorised, members there, address known. */
  async #providable(partner: PartnerSettings, groupId: string): Promise<ServedDocument> {
    const document = await this.#homeGroup(groupId);
    if (document === undefined) throw new Refusal('group-not-homed-here');
    const { configuration } = partner;
    const verdict = judgeAgreement(configuration.agreement, ['weProvide'], groupId, this.#context.clock.now());
    if (verdict.verdict === 'not-covered') throw new Refusal('agreement-does-not-cover');
    if (verdict.verdict === 'not-active') throw notActive(verdict.why);
    if (document.group === undefined || !hasMemberOf(configuration, document.group)) {
      throw new Refusal('no-member-of-partner');
    }
    if (configuration.xcapRoots.length === 0) throw new Refusal('partner-not-addressed');
    if (configuration.provide.to === 'none') {
      throw new Refusal('partner-not-addressed', { phrase: 'The partner pulls; nothing is provided to it' });
    }
    return document;
  }

  /**
   * Flow B, the primary's side: the group as this partner may see it. Outside the agreement one uniform `not-found`, whether the group
   * exists or not; the journal has the cause.
   */
  async groupForPartner(from: PartnerPrincipal, groupId: string, version?: ServedDocument): Promise<PartnerView> {
    const canonical = canonicalUri(groupId) ?? groupId;
    try {
      return await this.#viewFor(from, canonical, version);
    } catch (error) {
      await this.#context.refusals.note(from, 'request-refused', canonical, error);
      throw error;
    }
  }

  async #viewFor(from: PartnerPrincipal, groupId: string, version: ServedDocument | undefined): Promise<PartnerView> {
    const partner = this.#context.current().partners.named(from.partner);
    if (partner === undefined) throw new Refusal('not-found', { cause: 'partner-unknown' });
    const { agreement } = partner.configuration;
    const verdict = judgeAgreement(agreement, listsOf.outbound, groupId, this.#context.clock.now());
    if (verdict.verdict === 'not-covered') throw new Refusal('not-found', { cause: 'agreement-does-not-cover' });
    if (verdict.verdict === 'not-active') throw notActive(verdict.why);
    const document = version?.key.tree === 'users' ? version : await this.#homeGroup(groupId);
    if (document === undefined) throw new Refusal('group-not-homed-here');
    try {
      return await this.#views.of(partner, groupId, document);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code === 'unavailable') throw error;
      // The partner keeps what it holds; that a policy of ours withholds the rest is ours to know.
      const { code, cause } = causeOf(error);
      throw new Refusal('forbidden', { cause: `outbound policy: ${code}: ${cause}` });
    }
  }

  /** Canonical IDs of our groups that the agreement lets this partner see now. */
  async groupsForPartner(from: PartnerPrincipal): Promise<readonly string[]> {
    const agreement = this.#context.current().partners.named(from.partner)?.configuration.agreement;
    if (agreement === undefined) return [];
    const now = this.#context.clock.now();
    const visible: string[] = [];
    for await (const groupId of this.homeGroups()) {
      const verdict = judgeAgreement(agreement, listsOf.outbound, groupId, now);
      if (verdict.verdict === 'allowed') visible.push(groupId);
    }
    return visible;
  }

  /** Canonical IDs of all groups defined here, read page by page. */
  async *homeGroups(): AsyncIterable<string> {
    for await (const { groupId } of this.homeDocuments()) yield groupId;
  }

  /** All groups defined here with the tags of their documents, read page by page. */
  async *homeDocuments(): AsyncIterable<{ readonly groupId: string; readonly tag: string }> {
    const filter = { auid: groupsAuid, tree: 'users', groups: true, limit: pageSize } as const;
    let page = await this.#context.store.documents(filter);
    for (;;) {
      for (const { groupId, tag } of page) if (groupId !== undefined) yield { groupId, tag };
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      page = await this.#context.store.documents({ ...filter, after: last.key });
    }
  }

  /** True when this group is to be at the partner: covered by `weProvide` and with a member of the partner. */
  async isToBeProvided(partner: PartnerConfiguration, groupId: string): Promise<boolean> {
    if (!isCovered(partner.agreement, ['weProvide'], groupId)) return false;
    const group = (await this.#homeGroup(groupId))?.group;
    return group !== undefined && isToBeProvided(partner, groupId, group, this.#context.clock.now());
  }

  async #homeGroup(groupId: string): Promise<ServedDocument | undefined> {
    const document = await this.#context.documents.findGroup(groupId);
    // Transit is refused: what came from another system lives in the global tree and is not ours to give.
    return document?.key.tree === 'users' ? document : undefined;
  }

  #partner(name: string): PartnerSettings {
    const partner = this.#context.current().partners.named(name);
    if (partner === undefined) throw new Refusal('partner-unknown');
    return partner;
  }
}

/** Groups that are part of a temporary group, or are one: who is in an operation must not wait behind bulk. */
function isRegroup({ listServices }: GroupFacts): boolean {
  return listServices.some(({ regrouped, temporary }) => regrouped || temporary);
}

function isToBeProvided(partner: PartnerConfiguration, groupId: string, group: GroupFacts, now: number): boolean {
  const { agreement } = partner;
  return !isToBeUndone(agreement, now) && isCovered(agreement, ['weProvide'], groupId) && hasMemberOf(partner, group);
}
