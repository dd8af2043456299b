// Keeps requested foreign groups current by subscription: what a partner tells leads to conditional requests, paced, oldest first.
// Provision may bring the same content; whichever comes first wins, and a tag that is known already causes no request.
import { Refusal } from '../refusals.ts';
import { judgeAgreement } from './agreement.ts';
import type { InterconnectionContext } from './context.ts';
import type { PartnerWatch, PartnerWatchListener } from './ports.ts';
import type { Requests } from './request.ts';

/** Requests to one partner under way at once because of what it told. */
const concurrency = 4;
/** With more than this waiting, those whose copy is oldest go first. */
const worthSorting = 8;

/** With so many groups held, what is watched is brought in line once in `gatheringPause` milliseconds. */
const worthPacing = 100;
const gatheringPause = 1000;

interface Told {
  /** Groups to be asked for, in order of insertion. */
  waiting: Set<string>;
  /** True when groups came since the last sorting. */
  unsorted: boolean;
  asking: number;
  /** No request starts before this instant, milliseconds. */
  nextAt: number;
  cancelTimer: (() => void) | undefined;
  /** The partner asked for a pause, and what waits is marked stale. */
  paused: boolean;
  state: 'up' | 'down';
}

export class StayCurrent implements PartnerWatchListener {
  readonly #context: InterconnectionContext;
  readonly #requests: Requests;
  readonly #partners = new Map<string, Told>();
  readonly #running = new Set<Promise<void>>();
  #watch: PartnerWatch | undefined;
  #watching = new Set<string>();
  #gathering: Promise<void> | undefined;
  /** Nothing is gathered before this instant, milliseconds: with many groups held, each arrival must not read them all. */
  #followAt = 0;
  #cancelFollow: (() => void) | undefined;
  #stopped = false;

  constructor(context: InterconnectionContext, requests: Requests) {
    this.#context = context;
    this.#requests = requests;
  }

  /** Takes the port into use; to be called before the start. */
  use(watch: PartnerWatch): void {
    this.#watch = watch;
  }

  /** True while the partner tells of all changes of the groups held from it, so that nobody needs to ask. */
  isTold(partner: string): boolean {
    return this.#watching.has(partner) && this.#partners.get(partner)?.state === 'up';
  }

  /** Brings what is watched in line with the groups held and the settings of now, soon. */
  follow(): void {
    if (this.#watch === undefined || this.#stopped) return;
    if (this.#cancelFollow !== undefined) return;
    const wait = this.#followAt - this.#context.clock.now();
    if (wait > 0) {
      this.#cancelFollow = this.#context.clock.after(wait, () => {
        this.#cancelFollow = undefined;
        this.follow();
      });
      return;
    }
    this.#gathering ??= Promise.resolve()
      .then(() => this.#follow())
      .catch((fault: unknown) => this.#context.onFault(fault));
  }

  /** Starts no further request; resolves when those under way have ended. The port is closed by who made it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelFollow?.();
    for (const told of this.#partners.values()) told.cancelTimer?.();
    await this.idle();
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#gathering !== undefined || this.#running.size > 0) {
      await this.#gathering;
      await Promise.all(this.#running);
    }
  }

  changed(partner: string, groupId: string, tag: string | undefined): void {
    this.#run(this.#consider(partner, groupId, tag));
  }

  state(partner: string, state: 'up' | 'down'): void {
    this.#told(partner).state = state;
  }

  async #follow(): Promise<void> {
    this.#gathering = undefined;
    const watch = this.#watch;
    if (watch === undefined || this.#stopped) return;
    const { clock, current, store } = this.#context;
    const watching = new Set<string>();
    let all = 0;
    for (const { configuration } of current().partners.all) {
      const { agreement, name, sip } = configuration;
      if (sip.length === 0) continue;
      const held = await store.sourceStates(name);
      all += held.length;
      const groups = held
        .map(({ groupId }) => groupId)
        .filter((groupId) => judgeAgreement(agreement, ['weRequest'], groupId, clock.now()).verdict === 'allowed');
      watching.add(name);
      watch.watch(name, groups);
    }
    for (const gone of this.#watching) if (!watching.has(gone)) watch.watch(gone, []);
    this.#watching = watching;
    if (all >= worthPacing) this.#followAt = clock.now() + gatheringPause;
  }

  async #consider(partner: string, groupId: string, tag: string | undefined): Promise<void> {
    const held = await this.#context.documents.findSource(groupId);
    if (held === undefined || held.partner !== partner) return;
    // A provision tells no tag of its own; between systems that hash content it is that of the bytes.
    if (tag !== undefined && (tag === held.primaryTag || tag === held.tag)) {
      await this.#context.staleness.clear(groupId);
      return;
    }
    const told = this.#told(partner);
    told.waiting.add(groupId);
    told.unsorted = true;
    if (told.paused) await this.#context.staleness.mark(groupId);
    this.#run(this.#pump(partner, told));
  }

  async #pump(partner: string, told: Told): Promise<void> {
    if (told.unsorted && told.waiting.size > worthSorting) {
      told.unsorted = false;
      const age = new Map((await this.#context.store.sourceStates(partner)).map((one) => [one.groupId, one.received]));
      const byAge = [...told.waiting].sort((one, other) => ((age.get(one) ?? '') < (age.get(other) ?? '') ? -1 : 1));
      told.waiting = new Set(byAge);
    }
    const { clock, current } = this.#context;
    while (told.asking < concurrency && !this.#stopped) {
      const now = clock.now();
      const pause = this.#requests.pause(partner);
      if (pause !== undefined) {
        told.nextAt = Math.max(told.nextAt, now + pause * 1000);
        if (!told.paused) this.#run(this.#markWaiting(told));
      }
      told.paused = pause !== undefined;
      if (now < told.nextAt) {
        told.cancelTimer ??= clock.after(told.nextAt - now, () => {
          told.cancelTimer = undefined;
          this.#run(this.#pump(partner, told));
        });
        return;
      }
      const [groupId] = told.waiting;
      if (groupId === undefined) return;
      told.waiting.delete(groupId);
      told.nextAt = now + 1000 / current().settings.interconnect.catchUpRate;
      told.asking += 1;
      this.#run(
        this.#ask(groupId, told).finally(() => {
          told.asking -= 1;
          this.#run(this.#pump(partner, told));
        }),
      );
    }
  }

  // What fails leaves a stale copy behind, which revalidation asks for again.
  async #ask(groupId: string, told: Told): Promise<void> {
    try {
      await this.#requests.refresh(groupId, 'system');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // RFC 9110 10.2.3: asked again when the pause is over.
      if (error.code === 'partner-busy') told.waiting.add(groupId);
    }
  }

  // What is known to have changed, or to be gone, and may not be asked for yet is served on; its readers are told that it is old.
  async #markWaiting(told: Told): Promise<void> {
    for (const groupId of told.waiting) {
      if (this.#stopped) return;
      await this.#context.staleness.mark(groupId);
    }
  }

  #told(partner: string): Told {
    let told = this.#partners.get(partner);
    if (told === undefined) {
      told = {
        waiting: new Set(),
        unsorted: false,
        asking: 0,
        nextAt: 0,
        cancelTimer: undefined,
        paused: false,
        state: 'down',
      };
      this.#partners.set(partner, told);
    }
    return told;
  }

  #run(work: Promise<void>): void {
    const running = work.catch((fault: unknown) => this.#context.onFault(fault));
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }
}
