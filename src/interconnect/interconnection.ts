// Interconnection with partner systems, put together: both roles of TS 23.280 clause 10.2.7 for any number of partners.
// Faces call it, documents tell it of changes, the store carries everything that must survive.
import type { Preconditions, PutOutcome, ServedDocument } from '../documents/documents.ts';
import type { PartnerPrincipal, Principal } from '../identity/principal.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { DeliveryRecord } from '../store/store.ts';
import { composeCanaryGroup } from '../xml/canary-group.ts';
import { Acceptance } from './accept.ts';
import { Admission } from './admission.ts';
import { nextTurn } from './agreement.ts';
import type { CurrentSettings, InterconnectionContext } from './context.ts';
import { deriveAgain, releaseForeign } from './foreign.ts';
import { type InterconnectionOptions, interconnectionContext } from './make-context.ts';
import { Operations } from './operations.ts';
import { OutboundViews } from './outbound.ts';
import { Outboxes } from './outboxes.ts';
import { OwnReading } from './own-reading.ts';
import { PartnerDirectories } from './partner-directory.ts';
import { PartnerReading } from './partner-reading.ts';
import { PartnerTests } from './partner-test.ts';
import { type InterconnectionSettings, Partners } from './partners.ts';
import { Planning } from './plan.ts';
import type {
  DeliveryProgress,
  DirectoryEntry,
  OwnFacing,
  PartnerAdmission,
  PartnerCopies,
  PartnerFacing,
  PartnerTest,
  PartnerView,
  PartnerWatch,
  PartnerWatchListener,
  PullOutcome,
  PullProgress,
  Reconciliation,
} from './ports.ts';
import { Primary } from './primary.ts';
import { Pulls } from './pull.ts';
import { type ReconcileOrder, Reconciliations } from './reconcile.ts';
import { Repair } from './repair.ts';
import { Requests } from './request.ts';
import { Revalidation } from './revalidate.ts';
import { StayCurrent } from './stay-current.ts';

/** How long requests of ours may go on when the gateway stops, milliseconds. */
const stopPatience = 8_000;

export class Interconnection implements PartnerFacing, PartnerCopies, PartnerAdmission, OwnFacing {
  readonly #context: InterconnectionContext;
  readonly #views: OutboundViews;
  readonly #admission: Admission;
  readonly #primary: Primary;
  readonly #acceptance: Acceptance;
  readonly #requests: Requests;
  readonly #revalidation: Revalidation;
  readonly #pulls: Pulls;
  readonly #stayCurrent: StayCurrent;
  readonly #outboxes: Outboxes;
  readonly #operations: Operations;
  readonly #reading: OwnReading;
  readonly #partnerReading: PartnerReading;
  readonly #directories: PartnerDirectories;
  readonly #reconciliations: Reconciliations;
  readonly #tests: PartnerTests;
  #watch: PartnerWatch | undefined;
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
    this.#context = interconnectionContext(options, () => this.#current);
    this.#admission = new Admission(this.#context);
    this.#views = new OutboundViews(this.#context);
    this.#primary = new Primary(this.#context, this.#views);
    this.#outboxes = new Outboxes(this.#context, this.#primary, options.onAttempt);
    this.#operations = new Operations(this.#context, this.#primary, this.#outboxes);
    this.#acceptance = new Acceptance(this.#context);
    this.#requests = new Requests(this.#context, options.onAsked);
    this.#reading = new OwnReading(this.#context, this.#requests);
    this.#partnerReading = new PartnerReading(this.#context);
    this.#directories = new PartnerDirectories(this.#context, this.#primary, this.#views);
    const repair = new Repair(this.#context, this.#primary, this.#outboxes, this.#requests);
    this.#reconciliations = new Reconciliations(this.#context, this.#primary, this.#views, repair);
    this.#tests = new PartnerTests(this.#context, this.#outboxes, () => this.#watch, composeCanaryGroup);
    this.#pulls = new Pulls(this.#context, this.#requests);
    this.#stayCurrent = new StayCurrent(this.#context, this.#requests);
    this.#revalidation = new Revalidation(this.#context, this.#requests, (partner) =>
      this.#stayCurrent.isTold(partner),
    );
    options.documents.causeDeliveries(async (change) => {
      const deliveries = await this.#primary.deliveriesOf(change);
      this.#outboxes.expect(change.groupId, deliveries);
      return deliveries;
    });
  }

  /**
   * Stays current by subscription from the start on. `watchPartners` makes the port that tells the listener; without it, revalidation
   * asks on its timer alone.
   */
  useWatch(watchPartners: (listener: PartnerWatchListener) => PartnerWatch): void {
    this.#watch = watchPartners(this.#stayCurrent);
    this.#stayCurrent.use(this.#watch);
  }

  staleSince(groupId: string): string | undefined {
    return this.#context.staleness.since(canonicalUri(groupId) ?? groupId);
  }

  /** Begins to deliver, to revalidate, and to catch up with settings that changed while the gateway was down. */
  start(): void {
    this.#started = true;
    this.#stopListening = this.#context.documents.onChange(({ changes }) => {
      for (const { key, groupId, previousGroupId, previousTag, tag } of changes) {
        if (key.tree === 'users') {
          for (const group of [groupId, previousGroupId]) if (group !== undefined) this.#outboxes.committed(group);
          continue;
        }
        if (groupId === undefined) continue;
        if (tag === undefined) this.#context.staleness.forget(groupId);
        // What came or went is watched from now on, or no more.
        if (tag === undefined || previousTag === undefined) this.#stayCurrent.follow();
      }
    });
    this.#loaded = Promise.all([this.#context.staleness.load(), this.#tests.clean()]).then(
      () => undefined,
      this.#context.onFault,
    );
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
      this.#outboxes.abort(new Error('the gateway stops'));
    });
    await Promise.all([
      this.#planned,
      this.#revalidation.stop(),
      this.#pulls.stop(),
      this.#directories.stop(),
      this.#reconciliations.stop(),
      this.#tests.idle(),
      this.#stayCurrent.stop(),
      this.#requests.stop(),
      this.#context.refusals.stop(),
      this.#outboxes.stop(),
    ]);
    cancelEnd();
  }

  /** Resolves when planning and revalidation have ended and no delivery is under way or due; for tests and draining. */
  async idle(): Promise<void> {
    await Promise.all([
      this.#loaded,
      this.#planned,
      this.#pulls.idle(),
      this.#reconciliations.idle(),
      this.#tests.idle(),
      this.#stayCurrent.idle(),
      this.#revalidation.idle(),
      this.#context.refusals.idle(),
    ]);
    await this.#outboxes.idle();
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

  acceptWithdrawal(
    from: PartnerPrincipal,
    groupId: string,
    preconditions: Preconditions,
    sent?: string,
  ): Promise<void> {
    return this.#acceptance.withdrawal(from, groupId, preconditions, sent);
  }

  groupForPartner(from: PartnerPrincipal, groupId: string, version?: ServedDocument): Promise<PartnerView> {
    return this.#primary.groupForPartner(from, groupId, version);
  }

  admitRequest(from: PartnerPrincipal): () => void {
    return this.#admission.admitRequest(from);
  }

  admitConnection(from: PartnerPrincipal, open: number): void {
    this.#admission.admitConnection(from, open);
  }

  admitSubscribe(from: PartnerPrincipal, others: number): void {
    this.#admission.admitSubscribe(from, others);
  }

  copyForPartner(from: PartnerPrincipal, groupId: string): Promise<PartnerView | undefined> {
    return this.#partnerReading.copy(from, groupId);
  }

  directoryForPartner(from: PartnerPrincipal): Promise<readonly DirectoryEntry[]> {
    return this.#directories.directory(from);
  }

  groupsForPartner(from: PartnerPrincipal): Promise<readonly string[]> {
    return this.#primary.groupsForPartner(from);
  }

  group(principal: Principal, groupId: string): Promise<ServedDocument> {
    return this.#reading.group(principal, groupId);
  }

  async pull(groupId: string, actor: string): Promise<PullOutcome> {
    const canonical = canonicalUri(groupId);
    if (canonical === undefined) throw new Refusal('bad-request', { phrase: 'The group ID is no URI' });
    this.#requests.requestable(canonical);
    return this.#requests.refresh(canonical, actor, 'free', 'insistent');
  }

  pullAll(partner: string, pattern: string, actor: string): Promise<PullProgress> {
    return this.#pulls.begin(partner, pattern, actor);
  }

  pullProgress(partner: string): PullProgress | undefined {
    return this.#pulls.progress(partner);
  }

  reconcile(partner: string, order: ReconcileOrder, actor: string): Reconciliation {
    return this.#reconciliations.begin(partner, order, actor);
  }

  testPartner(partner: string, actor: string): Promise<PartnerTest> {
    return this.#tests.test(partner, actor);
  }

  reconciliation(partner: string): Reconciliation | undefined {
    return this.#reconciliations.progress(partner);
  }

  async release(groupId: string, actor: string): Promise<PullOutcome> {
    const { changed, tag } = await releaseForeign(this.#context, canonicalUri(groupId) ?? groupId, actor);
    return { outcome: 'stored', changed, tag };
  }

  push(partner: string, groupId: string, actor: string): Promise<DeliveryRecord> {
    return this.#operations.push(partner, groupId, actor);
  }

  retryDelivery(partner: string, groupId: string, actor: string): Promise<void> {
    return this.#operations.retry(partner, groupId, actor);
  }

  dropDelivery(partner: string, groupId: string, actor: string): Promise<void> {
    return this.#operations.drop(partner, groupId, actor);
  }

  releaseBrake(partner: string, groupId: string | undefined, actor: string): Promise<number> {
    return this.#operations.releaseBrake(partner, groupId, actor);
  }

  forgetPartner(partner: string, actor: string): Promise<{ readonly groups: number; readonly deliveries: number }> {
    return this.#operations.forget(partner, actor);
  }

  /** Requests for groups under way and waiting, by partner; for metrics. */
  get requestLoad(): Requests['load'] {
    return this.#requests.load;
  }

  deliveryProgress(): Promise<readonly DeliveryProgress[]> {
    return this.#operations.progress();
  }

  /**
   * Applies the policy of now to what is kept of a foreign group. Resolves with undefined when nothing is kept, or its partner is configured
   * no more. Throws the Refusal of a policy that does not accept it; what was served before is then left as it is.
   */
  async deriveAgain(groupId: string): Promise<PutOutcome | undefined> {
    const canonical = canonicalUri(groupId) ?? groupId;
    const held = await this.#context.documents.findSource(canonical);
    const partner = held === undefined ? undefined : this.#current.partners.named(held.partner);
    return partner === undefined ? undefined : deriveAgain(this.#context, partner, canonical);
  }

  /** Makes a part that works on the same context, such as one for operators. */
  extend<Part>(make: (context: InterconnectionContext) => Part): Part {
    return make(this.#context);
  }

  /** Brings outboxes and plans in line with the settings of now. */
  #follow(): void {
    this.#outboxes.follow();
    this.#planning?.stop();
    const before = this.#planned;
    const planning = new Planning(this.#context, this.#primary, (partner) => this.#outboxes.wake(partner));
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
}
