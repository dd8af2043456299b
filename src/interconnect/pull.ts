// Flow B by an operator for many groups: all that are known of a partner and match a pattern, a few at a time, with progress.
// Known means: held here, asked for here in vain, or listed in the partner's directory where it offers one.
import { matchesPattern } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { SourceState } from '../store/store.ts';
import { judgeAgreement } from './agreement.ts';
import { isoTime } from './clock.ts';
import type { InterconnectionContext } from './context.ts';
import { patientDirectory } from './patient-directory.ts';
import type { PullOutcome, PullProgress } from './ports.ts';
import type { Requests } from './request.ts';

/** Requests of one pull that are under way at once. */
const concurrency = 4;
/** A pause that the partner asked for is waited for when it is no longer than this, seconds. */
const longestPause = 300;
/** So many requests in a row may be answered by asking for a pause, then the rest is given up. */
const mostPauses = 20;

/** What came of one group; a code is that of the refusal. */
type Pulled = PullOutcome['outcome'] | { readonly code: string };
/** Failures that are told with their group. */
const mostFailures = 100;

interface Running {
  progress: PullProgress;
  readonly work: Promise<void>;
}

export class Pulls {
  readonly #context: InterconnectionContext;
  readonly #requests: Requests;
  readonly #pulls = new Map<string, Running>();
  readonly #ending = new AbortController();
  #stopped = false;

  constructor(context: InterconnectionContext, requests: Requests) {
    this.#context = context;
    this.#requests = requests;
  }

  /** Begins a pull, or joins the one of this partner that runs. Throws `partner-unknown`. */
  async begin(partner: string, pattern: string, actor: string): Promise<PullProgress> {
    const { partners } = this.#context.current();
    if (partners.named(partner) === undefined) throw new Refusal('partner-unknown');
    const running = this.#pulls.get(partner);
    if (running?.progress.finished === undefined && running !== undefined) return running.progress;
    // A partner that was renamed is the home of what is kept under its name of before.
    const held = (await this.#context.store.sourceStates())
      .filter((one) => one.partner === partner || this.#isLeftTo(partner, one))
      .map(({ groupId }) => groupId);
    const wanted = this.#requests
      .wanted()
      .filter((groupId) => partners.homeOf(groupId)?.configuration.name === partner);
    const groups = [...new Set([...held, ...wanted])].filter((groupId) => matchesPattern(pattern, groupId)).sort();
    const started = isoTime(this.#context.clock.now());
    const begun: PullProgress = {
      pattern,
      started,
      total: groups.length,
      stored: 0,
      unchanged: 0,
      removed: 0,
      failed: 0,
      failures: [],
    };
    const work = Promise.resolve()
      .then(() => this.#run(partner, pattern, groups, actor))
      .catch((fault: unknown) => this.#context.onFault(fault))
      // Also after a fault of our own: a pull that never ends would be joined for ever.
      .then(() => this.#note(partner, () => ({ finished: isoTime(this.#context.clock.now()) })));
    this.#pulls.set(partner, { progress: begun, work });
    return begun;
  }

  #isLeftTo(partner: string, { groupId, partner: before }: SourceState): boolean {
    const { partners } = this.#context.current();
    return partners.named(before) === undefined && partners.homeOf(groupId)?.configuration.name === partner;
  }

  /** The pull of a partner that runs or ran last. */
  progress(partner: string): PullProgress | undefined {
    return this.#pulls.get(partner)?.progress;
  }

  /** Asks for no further group; resolves when requests under way have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#ending.abort(new Error('the gateway stops'));
    await this.idle();
  }

  /** Resolves when no pull runs. */
  async idle(): Promise<void> {
    await Promise.all([...this.#pulls.values()].map(({ work }) => work));
  }

  async #run(partner: string, pattern: string, known: readonly string[], actor: string): Promise<void> {
    const asked = new Set(known);
    await this.#pullEach(partner, known, actor);
    const more = (await this.#listed(partner)).filter(
      (groupId) => matchesPattern(pattern, groupId) && !asked.has(groupId),
    );
    this.#note(partner, ({ total }) => ({ total: total + more.length }));
    await this.#pullEach(partner, more, actor);
  }

  /** Groups of the partner that it lists and that we may request. */
  async #listed(partner: string): Promise<readonly string[]> {
    const { clock, current } = this.#context;
    const { partners } = current();
    const agreement = partners.named(partner)?.configuration.agreement;
    if (this.#stopped || agreement === undefined) return [];
    const directory = await patientDirectory(this.#context, partner, this.#ending.signal);
    if (directory.outcome !== 'listed') return [];
    return directory.groups.filter(
      (groupId) =>
        partners.homeOf(groupId)?.configuration.name === partner &&
        judgeAgreement(agreement, ['weRequest'], groupId, clock.now()).verdict === 'allowed',
    );
  }

  async #pullEach(partner: string, groups: readonly string[], actor: string): Promise<void> {
    const waiting = groups.values();
    let pauses = 0;
    const pulled = async (groupId: string): Promise<Pulled> => {
      for (;;) {
        const outcome = await this.#pull(groupId, actor);
        if (!isBusy(outcome)) {
          pauses = 0;
          return outcome;
        }
        pauses += 1;
        if (pauses > mostPauses || this.#stopped) return outcome;
        if (!(await this.#requests.pauseOver(partner, longestPause))) return outcome;
      }
    };
    const worker = async (): Promise<void> => {
      for (const groupId of waiting) {
        if (this.#stopped) return;
        this.#count(partner, groupId, await pulled(groupId));
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
  }

  async #pull(groupId: string, actor: string): Promise<Pulled> {
    try {
      return (await this.#requests.refresh(groupId, actor)).outcome;
    } catch (error) {
      if (!(error instanceof Refusal)) this.#context.onFault(error);
      return { code: error instanceof Refusal ? error.code : 'internal-error' };
    }
  }

  #count(partner: string, groupId: string, pulled: Pulled): void {
    this.#note(partner, (progress) => {
      if (typeof pulled === 'string') return { [pulled]: progress[pulled] + 1 };
      const { failed, failures } = progress;
      const failure = { groupId, code: pulled.code };
      return { failed: failed + 1, failures: failures.length < mostFailures ? [...failures, failure] : failures };
    });
  }

  #note(partner: string, change: (progress: PullProgress) => Partial<PullProgress>): void {
    const running = this.#pulls.get(partner);
    if (running !== undefined) running.progress = { ...running.progress, ...change(running.progress) };
  }
}

function isBusy(pulled: Pulled): boolean {
  return typeof pulled === 'object' && pulled.code === 'partner-busy';
}
