// Keeps requested foreign groups current where no subscription does: on a timer, one conditional request after another for each partner.
// An unreachable primary makes its copies stale, not gone; they stay served.
import { Refusal } from '../refusals.ts';
import { judgeAgreement } from './agreement.ts';
import type { InterconnectionContext } from './context.ts';
import type { PartnerSettings } from './partners.ts';
import type { Requests } from './request.ts';

/** Failures in a row after which the rest of a partner's groups is marked stale without asking. */
const failuresUntilSilence = 2;
/** A pause that a partner asked for is waited for when it is no longer than this, seconds; what lasts longer makes the copies stale. */
const shortPause = 10;

export class Revalidation {
  readonly #context: InterconnectionContext;
  readonly #requests: Requests;
  readonly #isTold: (partner: string) => boolean;
  #cancelTimer: () => void = () => undefined;
  #round: Promise<void> = Promise.resolve();
  #stopped = false;

  /** `isTold`: the partner tells of changes by itself. */
  constructor(context: InterconnectionContext, requests: Requests, isTold: (partner: string) => boolean) {
    this.#isTold = isTold;
    this.#context = context;
    this.#requests = requests;
  }

  /** Starts the timer; the first round comes after one interval. */
  start(): void {
    if (this.#stopped) return;
    this.#cancelTimer();
    const interval = this.#context.current().settings.interconnect.revalidate * 1000;
    this.#cancelTimer = this.#context.clock.after(interval, () => {
      this.#round = this.round().finally(() => this.start());
    });
  }

  /** Starts no further request; resolves when the round under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    await this.#round;
  }

  /** Resolves when the round under way has ended. */
  async idle(): Promise<void> {
    await this.#round;
  }

  /** Asks every partner for the groups that we request from it. Partners do not wait for each other. Never rejects. */
  async round(): Promise<void> {
    const partners = this.#context.current().partners.all;
    await Promise.all(
      partners.map((partner) => this.#revalidate(partner).catch((fault: unknown) => this.#context.onFault(fault))),
    );
  }

  async #revalidate(partner: PartnerSettings): Promise<void> {
    const { agreement, name, xcapRoots } = partner.configuration;
    if (xcapRoots.length === 0) return;
    const { clock, store } = this.#context;
    const held = await store.sourceStates(name);
    let failures = 0;
    for (const { groupId, staleSince } of held) {
      if (this.#stopped) return;
      // What the partner tells needs no question, unless an earlier one failed.
      if (this.#isTold(name) && staleSince === undefined) continue;
      // A group that we may not request is kept current by its home's provision alone.
      if (judgeAgreement(agreement, ['weRequest'], groupId, clock.now()).verdict !== 'allowed') continue;
      if (failures < failuresUntilSilence && (await this.#requests.pauseOver(name, shortPause))) {
        if (this.#stopped) return;
        failures = (await this.#ask(groupId)) ? 0 : failures + 1;
      } else if (staleSince === undefined) {
        await this.#context.staleness.mark(groupId);
      }
    }
  }

  /** False when the primary could not be reached. */
  async #ask(groupId: string): Promise<boolean> {
    try {
      await this.#requests.refresh(groupId, 'system');
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return error.code !== 'partner-unreachable' && error.code !== 'partner-busy';
    }
  }
}
