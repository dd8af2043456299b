// Interconnection with partner systems, put together: both roles of TS 23.280 clause 10.2.7 for any number of partners.
// Faces call it, documents tell it of changes, the store carries everything that must survive.
import type { Documents, Preconditions, PutOutcome, ServedDocument } from '../documents/documents.ts';
import { KeyedQueue } from '../documents/keyed-queue.ts';
import type { PartnerPrincipal, Principal } from '../identity/principal.ts';
import { principalName } from '../identity/principal.ts';
import { canonicalUri, matchesPattern } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { DeliveryRecord, DeliveryRequest, Store } from '../store/store.ts';
import { Acceptance } from './accept.ts';
import { nextTurn } from './agreement.ts';
import { Brake } from './brake.ts';
import { type Clock, systemClock } from './clock.ts';
import type { CurrentSettings, InterconnectionContext } from './context.ts';
import { releaseForeign } from './foreign.ts';
import { entry } from './journal.ts';
import { OutboundViews } from './outbound.ts';
import { type DeliveryAttempt, Outbox } from './outbox.ts';
import { type InterconnectionSettings, Partners } from './partners.ts';
import { Planning } from './plan.ts';
import type {
  DeliveryProgress,
  OwnFacing,
  PartnerFacing,
  PartnerGms,
  PartnerView,
  PartnerWatch,
  PartnerWatchListener,
  PullOutcome,
  PullProgress,
} from './ports.ts';
import { Primary } from './primary.ts';
import { progressOf } from './progress.ts';
import { Pulls } from './pull.ts';
import { RefusalJournal } from './refusal-journal.ts';
import { Requests } from './request.ts';
import { Revalidation } from './revalidate.ts';
import { Staleness } from './staleness.ts';
import { StayCurrent } from './stay-current.ts';

export interface InterconnectionOptions {
  readonly documents: Documents;
  readonly store: Store;
  readonly gms: PartnerGms;
  readonly settings: InterconnectionSettings;
  readonly clock?: Clock | undefined;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
  /** Hears of every delivery attempt that reached out to a partner, for metrics. */
  readonly onAttempt?: ((attempt: DeliveryAttempt) => void) | undefined;
  /** Hears of faults of our own in work that nobody waits for; never of what partners do. */
  readonly onFault: (fault: unknown) => void;
}

/** How long requests of ours may go on when the gateway stops, milliseconds. */
const stopPatience = 8_000;

export class Interconnection implements PartnerFacing, OwnFacing {
  readonly #context: InterconnectionContext;
  readonly #views: OutboundViews;
  readonly #primary: Primary;
  readonly #acceptance: Acceptance;
  readonly #requests: Requests;
  readonly #revalidation: Revalidation;
  readonly #pulls: Pulls;
  readonly #stayCurrent: StayCurrent;
  readonly #onAttempt: InterconnectionOptions['onAttempt'];
  readonly #outboxes = new Map<string, Outbox>();
  /** Aborts when deliveries under way must end. */
  readonly #ending = new AbortController();
  #current: CurrentSettings;
  #planning: Planning | undefined;
  #planned: Promise<void> = Promise.resolve();
  #loaded: Promise<void> = Promise.resolve();
  #started = false;
  #stopListening: () => void = () => undefined;
  #cancelTurn: () => void = () => undefined;

  /** Registers itself with the documents for the deliveries that changes cause. */
  constructor(options: InterconnectionOptions) {
    this.#current = { settings: options.settings, partners: new Partners(options.settings) };
    this.#context = {
      documents: options.documents,
      store: options.store,
      gms: options.gms,
      clock: options.clock ?? systemClock,
      random: options.random ?? Math.random,
      current: () => this.#current,
      brake: new Brake(
        () => this.#current.settings.interconnect.brake,
        () => (options.clock ?? systemClock).now(),
      ),
      refusals: new RefusalJournal({
        store: options.store,
        clock: options.clock ?? systemClock,
        onFault: options.onFault,
      }),
      staleness: new Staleness({
        documents: options.documents,
        store: options.store,
        clock: options.clock ?? systemClock,
      }),
      foreignWrites: new KeyedQueue(),
      onFault: options.onFault,
    };
    this.#onAttempt = options.onAttempt;
    this.#views = new OutboundViews(this.#context);
    this.#primary = new Primary(this.#context, this.#views);
    this.#acceptance = new Acceptance(this.#context);
    this.#requests = new Requests(this.#context);
    this.#pulls = new Pulls(this.#context, this.#requests);
    this.#stayCurrent = new StayCurrent(this.#context, this.#requests);
    this.#revalidation = new Revalidation(this.#context, this.#requests, (partner) =>
      this.#stayCurrent.isTold(partner),
    );
    options.documents.causeDeliveries((change) => this.#primary.deliveriesOf(change));
  }

  /**
   * Stays current by subscription from the start on. `watchPartners` makes the port that tells the listener; without it, revalidation
   * asks on its timer alone.
   */
  useWatch(watchPartners: (listener: PartnerWatchListener) => PartnerWatch): void {
    this.#stayCurrent.use(watchPartners(this.#stayCurrent));
  }

  staleSince(groupId: string): string | undefined {
    return this.#context.staleness.since(canonicalUri(groupId) ?? groupId);
  }

  /** Begins to deliver, to revalidate, and to catch up with settings that changed while the gateway was down. */
  start(): void {
    this.#started = true;
    this.#stopListening = this.#context.documents.onChange(({ changes }) => {
      for (const outbox of this.#outboxes.values()) outbox.wake();
      for (const { key, groupId, previousTag, tag } of changes) {
        if (key.tree !== 'global' || groupId === undefined) continue;
        if (tag === undefined) this.#context.staleness.forget(groupId);
        // What came or went is watched from now on, or no more.
        if (tag === undefined || previousTag === undefined) this.#stayCurrent.follow();
      }
    });
    this.#loaded = this.#context.staleness.load().catch(this.#context.onFault);
    this.#follow();
    this.#revalidation.start();
  }

  /** Takes other settings into use: partners, agreements, policies. What that changes for partners is planned in the background. */
  reconfigure(settings: InterconnectionSettings): void {
    this.#current = { settings, partners: new Partners(settings) };
    this.#views.clear();
    this.#requests.forgetFailures();
    if (this.#started) this.#follow();
  }

  /**
   * Finishes what is under way and starts nothing new; deliveries stay queued in the store. What nobody waits for is ended at once, what
   * is still under way after a short patience too.
   */
  async stop(): Promise<void> {
    this.#started = false;
    this.#stopListening();
    this.#cancelTurn();
    this.#planning?.stop();
    const cancelEnd = this.#context.clock.after(stopPatience, () => {
      this.#requests.abort();
      this.#ending.abort(new Error('the gateway stops'));
    });
    await Promise.all([
      this.#planned,
      this.#revalidation.stop(),
      this.#pulls.stop(),
      this.#stayCurrent.stop(),
      this.#requests.stop(),
      this.#context.refusals.stop(),
      ...[...this.#outboxes.values()].map((outbox) => outbox.stop()),
    ]);
    cancelEnd();
  }

  /** Resolves when planning and revalidation have ended and no delivery is under way or due; for tests and draining. */
  async idle(): Promise<void> {
    await Promise.all([
      this.#loaded,
      this.#planned,
      this.#pulls.idle(),
      this.#stayCurrent.idle(),
      this.#revalidation.idle(),
      this.#context.refusals.idle(),
    ]);
    await Promise.all([...this.#outboxes.values()].map((outbox) => outbox.idle()));
  }

  acceptProvision(
    from: PartnerPrincipal,
    groupId: string,
    body: Uint8Array | (() => Promise<Uint8Array>),
    preconditions: Preconditions,
    sent?: string,
  ): Promise<PutOutcome> {
    return this.#acceptance.provision(from, groupId, body, preconditions, sent);
  }

  acceptWithdrawal(from: PartnerPrincipal, groupId: string, preconditions: Preconditions): Promise<void> {
    return this.#acceptance.withdrawal(from, groupId, preconditions);
  }

  groupForPartner(from: PartnerPrincipal, groupId: string): Promise<PartnerView> {
    return this.#primary.groupForPartner(from, groupId);
  }

  groupsForPartner(from: PartnerPrincipal): Promise<readonly string[]> {
    return this.#primary.groupsForPartner(from);
  }

  async group(principal: Principal, groupId: string): Promise<ServedDocument> {
    const canonical = canonicalUri(groupId);
    if (canonical === undefined) throw new Refusal('not-found', { cause: 'the group ID is no URI' });
    const { documents } = this.#context;
    const stored = await documents.findGroup(canonical);
    if (stored !== undefined) return this.#marked(documents.view(principal, stored));
    if (!mayTrigger(principal, canonical) || this.#current.partners.isHomed(canonical)) throw new Refusal('not-found');
    const held = await documents.findSource(canonical);
    if (held?.heldSince !== undefined) throw new Refusal('not-found', { cause: 'the group waits for its release' });
    await this.#requests.bring(canonical, principalName(principal));
    const brought = await documents.findGroup(canonical);
    if (brought === undefined) throw new Refusal('not-found');
    return this.#marked(documents.view(principal, brought));
  }

  // A stale copy says so to whoever reads it; the document itself is shared by all readers.
  #marked(document: ServedDocument): ServedDocument {
    const staleSince = document.groupId === undefined ? undefined : this.#context.staleness.since(document.groupId);
    if (staleSince === undefined) return document;
    const { key, tag, bytes, groupId, modified } = document;
    return {
      key,
      tag,
      bytes,
      groupId,
      modified,
      staleSince,
      get index() {
        return document.index;
      },
      get group() {
        return document.group;
      },
    };
  }

  async pull(groupId: string, actor: string): Promise<PullOutcome> {
    const canonical = canonicalUri(groupId);
    if (canonical === undefined) throw new Refusal('bad-request', { phrase: 'The group ID is no URI' });
    this.#requests.requestable(canonical);
    return this.#requests.refresh(canonical, actor);
  }

  pullAll(partner: string, pattern: string, actor: string): Promise<PullProgress> {
    return this.#pulls.begin(partner, pattern, actor);
  }

  pullProgress(partner: string): PullProgress | undefined {
    return this.#pulls.progress(partner);
  }

  async release(groupId: string, actor: string): Promise<PullOutcome> {
    const { changed, tag } = await releaseForeign(this.#context, canonicalUri(groupId) ?? groupId, actor);
    return { outcome: 'stored', changed, tag };
  }

  async push(partner: string, groupId: string, actor: string): Promise<DeliveryRecord> {
    const canonical = canonicalUri(groupId);
    if (canonical === undefined) throw new Refusal('bad-request', { phrase: 'The group ID is no URI' });
    await this.#primary.checkPush(partner, canonical);
    await this.#queue({ partner, groupId: canonical, action: 'provide' }, 'delivery-queued', actor);
    return this.#delivery(partner, canonical);
  }

  async retryDelivery(partner: string, groupId: string, actor: string): Promise<void> {
    const { groupId: canonical, action } = await this.#delivery(partner, canonicalUri(groupId) ?? groupId);
    await this.#queue({ partner, groupId: canonical, action }, 'delivery-retried', actor);
  }

  async dropDelivery(partner: string, groupId: string, actor: string): Promise<void> {
    const { groupId: canonical } = await this.#delivery(partner, canonicalUri(groupId) ?? groupId);
    const { clock, store } = this.#context;
    await store.commit({
      deliveries: [{ write: 'drop', partner, groupId: canonical }],
      journal: [entry(clock, actor, 'delivery-dropped', canonical, { partner })],
    });
  }

  async releaseBrake(partner: string, groupId: string | undefined, actor: string): Promise<number> {
    const { brake, clock, store } = this.#context;
    const canonical = groupId === undefined ? undefined : (canonicalUri(groupId) ?? groupId);
    const held = (await store.deliveries({ partner, state: 'braked' })).filter(
      (delivery) => canonical === undefined || delivery.groupId === canonical,
    );
    if (canonical !== undefined && held.length === 0)
      throw new Refusal('not-found', { phrase: 'No such braked delivery' });
    if (canonical === undefined) {
      brake.release(partner, 'withdrawal');
      brake.release(partner, 'removal');
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
    this.#outboxes.get(partner)?.wake(true);
    return held.length;
  }

  async deliveryProgress(): Promise<readonly DeliveryProgress[]> {
    const counts = await this.#context.store.deliveryCounts();
    return this.#current.partners.all.map(({ configuration: { name } }) => {
      const status = this.#outboxes.get(name)?.status ?? { circuit: 'closed', inFlight: 0 };
      return progressOf(name, counts, status);
    });
  }

  async #queue(
    delivery: DeliveryRequest,
    action: 'delivery-queued' | 'delivery-retried',
    actor: string,
  ): Promise<void> {
    const { clock, store } = this.#context;
    const journal = [entry(clock, actor, action, delivery.groupId, { partner: delivery.partner })];
    await store.commit({ deliveries: [{ write: 'queue', delivery }], journal });
    this.#outboxes.get(delivery.partner)?.wake(true);
  }

  async #delivery(partner: string, groupId: string): Promise<DeliveryRecord> {
    const delivery = await this.#context.store.delivery(partner, groupId);
    if (delivery === undefined) throw new Refusal('not-found', { phrase: 'No such delivery' });
    return delivery;
  }

  /** Brings outboxes and plans in line with the settings of now. */
  #follow(): void {
    const { partners } = this.#current;
    for (const { configuration } of partners.all) {
      const { name, provide } = configuration;
      if (provide.to !== 'none' && !this.#outboxes.has(name)) this.#outboxes.set(name, this.#outboxFor(name));
    }
    for (const [name, outbox] of this.#outboxes) {
      const configured = partners.named(name)?.configuration;
      if (configured !== undefined && configured.provide.to !== 'none') outbox.wake(true);
      else {
        this.#outboxes.delete(name);
        void outbox.stop();
      }
    }
    this.#planning?.stop();
    const before = this.#planned;
    const planning = new Planning(this.#context, this.#primary, (partner) => this.#outboxes.get(partner)?.wake());
    this.#planning = planning;
    this.#planned = before.then(() => planning.run()).catch(this.#context.onFault);
    this.#awaitTurn();
    this.#stayCurrent.follow();
  }

  /** Agreements begin and end by themselves: what that changes is planned then. */
  #awaitTurn(): void {
    this.#cancelTurn();
    const { clock } = this.#context;
    const now = clock.now();
    const turns = this.#current.partners.all.flatMap(
      ({ configuration }) => nextTurn(configuration.agreement, now) ?? [],
    );
    if (turns.length === 0) return;
    this.#cancelTurn = clock.after(Math.min(...turns) - now, () => this.#follow());
  }

  #outboxFor(name: string): Outbox {
    const { clock, gms, onFault, random, store } = this.#context;
    const { signal } = this.#ending;
    let last = this.#current.partners.named(name)?.configuration;
    return new Outbox({
      partner: () => {
        last = this.#current.partners.named(name)?.configuration ?? last;
        if (last === undefined) throw new Error(`partner ${name} was never configured`);
        return last;
      },
      retry: () => this.#current.settings.interconnect.retry,
      content: (delivery) => this.#primary.content(delivery),
      store,
      gms: {
        provide: (partner, groupId, bytes, knownTag) => gms.provide(partner, groupId, bytes, knownTag, signal),
        withdraw: (partner, groupId) => gms.withdraw(partner, groupId, signal),
      },
      clock,
      random,
      onAttempt: this.#onAttempt,
      onFault,
    });
  }
}

/** Flow B is set off by own MC service servers, and by administrators for the groups that they may act on. */
function mayTrigger(principal: Principal, groupId: string): boolean {
  if (principal.role !== 'administrator') return principal.role === 'server';
  return principal.groups === undefined || principal.groups.some((pattern) => matchesPattern(pattern, groupId));
}
