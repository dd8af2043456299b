// Compares, group by group, what we and a partner hold of each other's groups, over the partner's own CSC-16 face, and repairs on demand.
// Without repair nothing changes on either side.
import { setImmediate } from 'node:timers/promises';
import type { PartnerConfiguration } from '../config/schema.ts';
import { matchesPattern } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import { isCovered, listsOf } from './agreement.ts';
import { isoTime } from './clock.ts';
import { type Compared, Comparison } from './compare.ts';
import type { InterconnectionContext } from './context.ts';
import { entry } from './journal.ts';
import type { OutboundViews } from './outbound.ts';
import { paced } from './pace.ts';
import { patientDirectory } from './patient-directory.ts';
import type { ReconcileFinding, Reconciliation } from './ports.ts';
import type { Primary } from './primary.ts';
import type { Repair } from './repair.ts';

/** Requests under way at once. */
const concurrency = 4;
/** Findings that are told with their group; the others only count. */
const mostFindings = 10_000;
/** Answers missing in a row after which the rest is not asked for. */
const failuresUntilSilence = 5;

/** What to compare. */
export interface ReconcileOrder {
  /** Over canonical group IDs. */
  readonly pattern: string;
  readonly repair: boolean;
}

interface Running {
  progress: Reconciliation;
  readonly work: Promise<void>;
}

export class Reconciliations {
  readonly #context: InterconnectionContext;
  readonly #primary: Primary;
  readonly #comparison: Comparison;
  readonly #repair: Repair;
  readonly #runs = new Map<string, Running>();
  readonly #ending = new AbortController();

  constructor(context: InterconnectionContext, primary: Primary, views: OutboundViews, repair: Repair) {
    this.#context = context;
    this.#primary = primary;
    this.#comparison = new Comparison(context, primary, views);
    this.#repair = repair;
  }

  /** Begins a comparison, or joins the one of this partner that runs. Throws `partner-unknown`, `partner-not-addressed`. */
  begin(partner: string, order: ReconcileOrder, actor: string): Reconciliation {
    const configuration = this.#configuration(partner);
    if (configuration === undefined) throw new Refusal('partner-unknown');
    if (configuration.xcapRoots.length === 0) throw new Refusal('partner-not-addressed');
    const running = this.#runs.get(partner);
    if (running !== undefined && running.progress.finished === undefined) return running.progress;
    const begun: Reconciliation = {
      ...order,
      started: isoTime(this.#context.clock.now()),
      total: 0,
      equal: 0,
      differs: 0,
      missingHere: 0,
      missingThere: 0,
      unknown: 0,
      repaired: 0,
      findings: [],
      findingsLeftOut: 0,
    };
    const work = Promise.resolve().then(() => this.#run(partner, order, actor));
    this.#runs.set(partner, { progress: begun, work });
    return begun;
  }

  /** The comparison with a partner that runs or ran last. */
  progress(partner: string): Reconciliation | undefined {
    return this.#runs.get(partner)?.progress;
  }

  /** Asks for no further group and ends the requests under way. */
  async stop(): Promise<void> {
    this.#ending.abort(new Error('the gateway stops'));
    await this.idle();
  }

  /** Resolves when no comparison runs. */
  async idle(): Promise<void> {
    await Promise.all([...this.#runs.values()].map(({ work }) => work));
  }

  async #run(partner: string, order: ReconcileOrder, actor: string): Promise<void> {
    try {
      await this.#compareAll(partner, order, actor);
    } catch (fault) {
      this.#context.onFault(fault);
    }
    const { clock, store } = this.#context;
    this.#note(partner, ({ findings }) => ({ finished: isoTime(clock.now()), findings: byGroup(findings) }));
    const run = this.#runs.get(partner)?.progress;
    if (run === undefined) return;
    const { pattern, repair, total, equal, differs, missingHere, missingThere, unknown, repaired } = run;
    const counts = { total, equal, differs, missingHere, missingThere, unknown, repaired };
    const detail = { partner, pattern, repair, ...counts };
    await store
      .commit({ journal: [entry(clock, actor, 'partner-reconciled', `reconcile:${partner}`, detail)] })
      .catch(this.#context.onFault);
  }

  async #compareAll(partner: string, { pattern, repair }: ReconcileOrder, actor: string): Promise<void> {
    const { clock, current } = this.#context;
    const { signal } = this.#ending;
    const directory = await patientDirectory(this.#context, partner, signal);
    const listed = directory.outcome === 'listed' ? directory.groups : [];
    this.#note(partner, () => ({
      directory:
        directory.outcome === 'listed'
          ? `${listed.length} ${listed.length === 1 ? 'group' : 'groups'} listed by the partner`
          : `not read: ${directory.outcome === 'absent' ? 'the partner has none' : directory.reason}`,
    }));
    const groups = (await this.#groups(partner, listed)).filter((groupId) => matchesPattern(pattern, groupId));
    this.#note(partner, () => ({ total: groups.length }));
    let failures = 0;
    const rate = current().settings.interconnect.catchUpRate;
    await paced(
      groups,
      { rate, concurrency },
      clock,
      () => signal.aborted,
      async (groupId) => {
        const compared: Compared =
          failures >= failuresUntilSilence
            ? { groupId, state: 'unknown', detail: 'not asked for: the partner does not answer', noAnswer: true }
            : await this.#comparison.compare(partner, groupId, signal);
        failures = compared.noAnswer === true ? failures + 1 : 0;
        const repaired = repair ? await this.#repair.repair(partner, compared, actor) : undefined;
        this.#record(partner, compared, repaired);
      },
    );
  }

  /** Canonical IDs of all groups that may stand on either side of the border with a partner. */
  async #groups(partner: string, listed: readonly string[]): Promise<readonly string[]> {
    const configuration = this.#configuration(partner);
    if (configuration === undefined) return [];
    const { current, store } = this.#context;
    const { partners } = current();
    const groups = new Set<string>();
    for await (const groupId of this.#primary.homeGroups()) {
      // Groups that the partner only pulls need not be there.
      if (await this.#isDue(configuration, groupId)) groups.add(groupId);
    }
    for (const { groupId, action, state } of await store.deliveries({ partner })) {
      if (action === 'provide' || state !== 'delivered') groups.add(groupId);
    }
    for (const { groupId } of await store.sourceStates(partner)) groups.add(groupId);
    for (const groupId of listed) {
      // A partner speaks for its own groups, and for what it holds of ours; what else it lists is none of our business.
      if (partners.isHomed(groupId) || partners.homeOf(groupId)?.configuration.name === partner) groups.add(groupId);
    }
    return [...groups].sort();
  }

  async #isDue(partner: PartnerConfiguration, groupId: string): Promise<boolean> {
    if (partner.provide.to === 'none' || !isCovered(partner.agreement, listsOf.outbound, groupId)) return false;
    await setImmediate();
    return this.#primary.isToBeProvided(partner, groupId);
  }

  #configuration(partner: string): PartnerConfiguration | undefined {
    return this.#context.current().partners.named(partner)?.configuration;
  }

  #record(partner: string, compared: Compared, repaired: Awaited<ReturnType<Repair['repair']>>): void {
    this.#note(partner, (progress) => {
      const { state, groupId, detail, home } = compared;
      const name = counters[state];
      const counted = { [name]: progress[name] + 1, repaired: progress.repaired + (repaired?.done === true ? 1 : 0) };
      if (state === 'equal') return counted;
      if (progress.findings.length >= mostFindings)
        return { ...counted, findingsLeftOut: progress.findingsLeftOut + 1 };
      const finding = {
        groupId,
        state,
        ...(home === undefined ? {} : { home }),
        ...(detail === undefined ? {} : { detail }),
        ...(repaired === undefined ? {} : { repair: repaired.told }),
      };
      // One list grows for the whole run: a copy for each finding would cost their square.
      (progress.findings as (typeof finding)[]).push(finding);
      return counted;
    });
  }

  #note(partner: string, change: (progress: Reconciliation) => Partial<Reconciliation>): void {
    const running = this.#runs.get(partner);
    if (running !== undefined) running.progress = { ...running.progress, ...change(running.progress) };
  }
}

function byGroup(findings: readonly ReconcileFinding[]): readonly ReconcileFinding[] {
  return [...findings].sort((one, other) => (one.groupId < other.groupId ? -1 : 1));
}

const counters = {
  equal: 'equal',
  differs: 'differs',
  'missing here': 'missingHere',
  'missing there': 'missingThere',
  unknown: 'unknown',
} as const;
