// Flow B on the partner's side: asks the primary for a group, once for all who want it, and keeps what comes.
// TS 23.280 clause 10.2.7: each precondition of the request is a check with its own refusal.
import { LRUCache } from 'lru-cache';
import NodeCache from 'node-cache';
import { Refusal, type RefusalCode } from '../refusals.ts';
import type { SourceRecord } from '../store/store.ts';
import { judgeAgreement, notActive } from './agreement.ts';
import type { InterconnectionContext } from './context.ts';
import { storeForeign } from './foreign.ts';
import { causeOf, entry } from './journal.ts';
import { Lanes } from './lanes.ts';
import type { PartnerSettings } from './partners.ts';
import { Pauses } from './pauses.ts';
import type { FetchOutcome, PullOutcome } from './ports.ts';

/** How often forgotten failures are cleared away, seconds. */
const housekeeping = 3;
/** Why a request ends before its time. */
const stopping = 'the gateway stops';
/** Failed requests remembered at once. */
const failuresRemembered = 10_000;

interface RememberedFailure {
  readonly code: RefusalCode;
  readonly phrase: string;
}

/** What one partner is asked at once, and what may wait for that. */
const lanes = { running: 16, waiting: 1000, failures: 3 };

/** One request to a partner, as it ended. */
export interface PartnerAsked {
  readonly partner: string;
  readonly outcome: FetchOutcome['outcome'];
  readonly milliseconds: number;
}

/** Whether the brake judges a removal. */
export type Braking = 'braked' | 'free';

/** Whether a request goes out although the partner asked to be left alone. */
export type Insistence = 'insistent' | 'patient';

/** A request that callers share. */
interface UnderWay {
  readonly outcome: Promise<PullOutcome>;
  readonly abort: AbortController;
  /** Callers of our faces that have no answer yet. */
  waiting: number;
}

export class Requests {
  readonly #context: InterconnectionContext;
  readonly #underWay = new Map<string, UnderWay>();
  readonly #failures = new NodeCache({
    maxKeys: failuresRemembered,
    checkperiod: housekeeping,
    useClones: false,
  });
  /** Groups that own servers and operators asked for and that did not come. */
  readonly #wanted = new LRUCache<string, true>({ max: failuresRemembered });

  readonly #lanes = new Lanes(lanes);
  readonly #pauses: Pauses;
  #stopped = false;

  readonly #onAsked: ((asked: PartnerAsked) => void) | undefined;

  /** `onAsked` hears of every request that reached out to a partner. */
  constructor(context: InterconnectionContext, onAsked?: (asked: PartnerAsked) => void) {
    this.#context = context;
    this.#onAsked = onAsked;
    this.#pauses = new Pauses(context.clock);
  }

  /**
   * Who is to be asked for a group (canonical ID). Throws the Refusal of the first precondition that does not hold: the partner is
   * configured, the agreement covers the request and is active, the partner's address is configured.
   */
  requestable(groupId: string): PartnerSettings {
    const { partners } = this.#context.current();
    if (partners.isHomed(groupId)) throw new Refusal('bad-request', { phrase: 'The group is homed in this system' });
    const partner = partners.homeOf(groupId);
    if (partner === undefined) throw new Refusal('partner-unknown');
    const { agreement, xcapRoots } = partner.configuration;
    const verdict = judgeAgreement(agreement, ['weRequest'], groupId, this.#context.clock.now());
    if (verdict.verdict === 'not-covered') throw new Refusal('agreement-does-not-cover');
    if (verdict.verdict === 'not-active') throw notActive(verdict.why);
    if (xcapRoots.length === 0) throw new Refusal('partner-not-addressed');
    return partner;
  }

  /**
   * Brings a group that is wanted now. Concurrent callers share one request; one that just failed is not repeated. Throws
   * `partner-unreachable` when no answer comes in time; the request then goes on, and what it brings is stored. Throws `partner-busy` while
   * the partner asks to be left alone.
   */
  async bring(groupId: string, actor: string): Promise<PullOutcome> {
    this.requestable(groupId);
    const failure = this.#failures.get<RememberedFailure>(groupId);
    if (failure !== undefined) throw new Refusal(failure.code, { phrase: failure.phrase });
    const request = this.#share(groupId, actor, braking(actor), 'patient');
    request.waiting += 1;
    try {
      return await this.#inTime(request.outcome);
    } finally {
      request.waiting -= 1;
      if (this.#stopped) abortUnattended(request);
    }
  }

  /**
   * Asks the primary whether the group is still as held here, and stores or removes accordingly. Shares a request under way. The brake
   * judges a removal unless an operator asked for this one group. A `patient` request is `partner-busy` while the partner asks to be left
   * alone.
   */
  async refresh(
    groupId: string,
    actor: string,
    brake: Braking = braking(actor),
    insistence: Insistence = 'patient',
  ): Promise<PullOutcome> {
    return this.#share(groupId, actor, brake, insistence).outcome;
  }

  /** Seconds until the partner may be asked again; undefined when it may be now. */
  pause(partner: string): number | undefined {
    return this.#pauses.remaining(partner);
  }

  /** Resolves when the partner may be asked, or the gateway stops; at once with false when it asked for more than `most` seconds. */
  async pauseOver(partner: string, most: number): Promise<boolean> {
    return this.#pauses.over(partner, most);
  }

  #share(groupId: string, actor: string, brake: Braking, insistence: Insistence): UnderWay {
    const underWay = this.#underWay.get(groupId);
    if (underWay !== undefined) return underWay;
    if (this.#stopped) throw new Refusal('unavailable', { cause: stopping });
    const abort = new AbortController();
    const outcome = this.#refresh(groupId, actor, brake, insistence, abort.signal).finally(() =>
      this.#underWay.delete(groupId),
    );
    const request: UnderWay = { outcome, abort, waiting: 0 };
    this.#underWay.set(groupId, request);
    return request;
  }

  /** Ends the requests that no caller of our faces waits for, and starts none; resolves when those under way have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#failures.close();
    this.#pauses.clear();
    const underWay = [...this.#underWay.values()];
    for (const request of underWay) abortUnattended(request);
    await Promise.allSettled(underWay.map(({ outcome }) => outcome));
  }

  /** Ends all requests under way, whoever waits for them. */
  abort(): void {
    for (const { abort } of this.#underWay.values()) abort.abort(new Error(stopping));
  }

  /** Requests under way and waiting, by partner. */
  get load(): Lanes['load'] {
    return this.#lanes.load;
  }

  /** Canonical IDs of groups that were asked for in vain, most recent first; bounded. */
  wanted(): readonly string[] {
    return [...this.#wanted.keys()];
  }

  /** Forgets failures and pauses: settings changed. */
  forgetFailures(): void {
    this.#failures.flushAll();
    this.#pauses.clear();
  }

  async #refresh(
    groupId: string,
    actor: string,
    brake: Braking,
    insistence: Insistence,
    signal: AbortSignal,
  ): Promise<PullOutcome> {
    const partner = this.requestable(groupId);
    const held = await this.#context.documents.findSource(groupId);
    const name = partner.configuration.name;
    let asked = false;
    try {
      if (insistence === 'patient') this.#respectPause(name);
      const answer = await this.#lanes.run(
        name,
        async () => {
          // Those that waited for their turn meanwhile.
          if (insistence === 'patient') this.#respectPause(name);
          asked = true;
          // What is kept under another name of the partner is taken over, not confirmed.
          return this.#fetch(name, groupId, held?.partner === name ? held.primaryTag : undefined, signal);
        },
        // One that asks for a pause is not silent.
        (result) => result.outcome === 'failed' && result.retryAfter === undefined,
      );
      // Nothing is learnt of the primary by that: the copy is not stale, the group not missing.
      if (answer.outcome === 'failed' && signal.aborted) throw new Refusal('unavailable', { cause: stopping });
      const outcome = await this.#take(answer, held, groupId, actor, brake, partner);
      this.#wanted.delete(groupId);
      this.#failures.del(groupId);
      return outcome;
    } catch (error) {
      // We were too busy, or stop: nothing was asked.
      if (error instanceof Refusal && error.code === 'unavailable') throw error;
      const isBusy = error instanceof Refusal && error.code === 'partner-busy';
      if (error instanceof Refusal && !isBusy) this.#remember(groupId, error);
      if (held === undefined) this.#wanted.set(groupId, true);
      if (held !== undefined && held.staleSince === undefined) await this.#context.staleness.mark(groupId);
      // Of a copy that is stale for long the same failure is not told again and again.
      if (isBusy ? asked : actor !== 'system' || held?.staleSince === undefined) {
        const detail = { partner: name, ...causeOf(error) };
        const journal = [entry(this.#context.clock, actor, 'fetch-failed', groupId, detail)];
        await this.#context.store.commit({ journal });
      }
      throw error;
    }
  }

  #respectPause(partner: string): void {
    const retryAfter = this.#pauses.remaining(partner);
    if (retryAfter !== undefined)
      throw new Refusal('partner-busy', { retryAfter, cause: 'the partner asked for a pause before' });
  }

  async #fetch(
    partner: string,
    groupId: string,
    knownTag: string | undefined,
    signal: AbortSignal,
  ): Promise<FetchOutcome> {
    const { clock, gms } = this.#context;
    const begun = clock.now();
    const answer = await gms.fetch(partner, groupId, knownTag, signal);
    // RFC 9110 10.2.3: noted before a place is free for the next one.
    if (answer.outcome === 'failed' && answer.retryAfter !== undefined) this.#pauses.note(partner, answer.retryAfter);
    this.#onAsked?.({ partner, outcome: answer.outcome, milliseconds: clock.now() - begun });
    return answer;
  }

  async #take(
    answer: FetchOutcome,
    held: SourceRecord | undefined,
    groupId: string,
    actor: string,
    brake: Braking,
    partner: PartnerSettings,
  ): Promise<PullOutcome> {
    switch (answer.outcome) {
      case 'fetched':
        return this.#store(answer, held, groupId, actor, partner);
      case 'unchanged':
        await this.#context.staleness.clear(groupId);
        return { outcome: 'unchanged' };
      case 'absent':
        if (held === undefined) throw new Refusal('not-found', { cause: 'the primary does not give this group' });
        if (brake === 'braked') await this.#checkBrake(held);
        return this.#remove(held, actor);
      case 'refused':
        throw new Refusal('partner-refused', { cause: `${answer.status}: ${answer.reason}` });
      case 'failed': {
        const retryAfter = this.#pauses.remaining(partner.configuration.name);
        if (answer.retryAfter === undefined || retryAfter === undefined)
          throw new Refusal('partner-unreachable', { cause: answer.reason });
        throw new Refusal('partner-busy', { retryAfter, cause: answer.reason });
      }
    }
  }

  async #store(
    answer: Extract<FetchOutcome, { outcome: 'fetched' }>,
    held: SourceRecord | undefined,
    groupId: string,
    actor: string,
    partner: PartnerSettings,
  ): Promise<PullOutcome> {
    try {
      const { changed, tag } = await storeForeign(this.#context, {
        partner,
        groupId,
        source: answer.bytes,
        primaryTag: answer.tag,
        preconditions: held === undefined ? { ifNoneMatch: '*' } : { ifMatch: [held.tag] },
        actor,
        action: 'group-fetched',
      });
      return { outcome: 'stored', changed, tag };
    } catch (error) {
      // A provision overtook the request: what the primary pushed meanwhile is at least as new.
      if (error instanceof Refusal && error.code === 'precondition-failed') return { outcome: 'unchanged' };
      throw error;
    }
  }

  // A primary that suddenly knows none of its groups is more likely broken than empty.
  async #checkBrake({ partner }: SourceRecord): Promise<void> {
    const { brake, store } = this.#context;
    const reason = await brake.hold(partner, 'removal', 1, async () => (await store.sourceStates(partner)).length);
    if (reason !== undefined)
      throw new Refusal('partner-refused', { cause: `the primary does not give it; ${reason}` });
  }

  async #remove(held: SourceRecord, actor: string): Promise<PullOutcome> {
    const { groupId, tag } = held;
    try {
      await this.#context.foreignWrites.run(groupId, () =>
        this.#context.documents.deleteForeign(groupId, actor, { ifMatch: [tag] }),
      );
      return { outcome: 'removed' };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.code === 'not-found') return { outcome: 'removed' };
      if (error.code === 'precondition-failed') return { outcome: 'unchanged' };
      throw error;
    }
  }

  #remember(groupId: string, { code, phrase }: Refusal): void {
    const { failureMemory } = this.#context.current().settings.interconnect;
    // For this cache a time of 0 would mean for ever.
    if (failureMemory === 0) return;
    try {
      this.#failures.set<RememberedFailure>(groupId, { code, phrase }, failureMemory);
    } catch {
      // Full: this failure is simply not remembered.
    }
  }

  async #inTime(request: Promise<PullOutcome>): Promise<PullOutcome> {
    const { clock } = this.#context;
    const late = Promise.withResolvers<never>();
    const cancel = clock.after(this.#context.current().settings.interconnect.patience * 1000, () =>
      late.reject(new Refusal('partner-unreachable', { cause: 'no answer in time' })),
    );
    try {
      return await Promise.race([request, late.promise]);
    } finally {
      cancel();
    }
  }
}

/** What nobody asked for by hand is judged. */
function braking(actor: string): Braking {
  return actor === 'system' ? 'braked' : 'free';
}

function abortUnattended({ abort, waiting }: UnderWay): void {
  if (waiting === 0) abort.abort(new Error(stopping));
}
