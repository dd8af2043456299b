// The notifier of the event package xcap-diff (RFC 5875, RFC 6665): keeps the subscriptions and tells what changed.
// When a subscription speaks is decided in subscription.ts, what it says in state-teller.ts, who may subscribe in admission.ts.
import type { ChangeEvent } from '../documents/documents.ts';
import { type Principal, principalName } from '../identity/principal.ts';
import type { TimerQueue } from './engine/timer-queue.ts';
import { toldTag } from './notify-request.ts';
import { type FaceView, NotifySender, type NotifySenderOptions, type NotifyTask } from './notify-sender.ts';
import { grantedRates, paceOf, type Rates, timesBefore } from './rate-control.ts';
import type { ResourceEntry } from './resource-entry.ts';
import { SendWindow } from './send-window.ts';
import type { SipPort } from './sip-port.ts';
import { sameEntries } from './state-tag.ts';
import {
  advance,
  type EndReason,
  newSubscription,
  type SubscriptionEffect,
  type SubscriptionEvent,
} from './subscription.ts';
import type { SubscriptionRow, SubscriptionRows } from './subscription-rows.ts';
import { type SubscriptionFacts, type SubscriptionKeeper, WatchedSubscription } from './watched-subscription.ts';
import { Watchers } from './watchers.ts';

export interface NotifierOptions {
  readonly timers: TimerQueue;
  readonly rows: SubscriptionRows;
  /** The view of a principal; undefined when subscribers of its role are not served. */
  readonly viewOf: (principal: Principal) => FaceView | undefined;
  /** Milliseconds between two NOTIFYs of one subscription, by role of the subscriber. */
  readonly interval: (principal: Principal) => number;
  /** Octets of the largest NOTIFY body. */
  readonly largestBody: number;
  /** A NOTIFY that told something has its final answer. */
  readonly onAnswer?: NotifySenderOptions['onAnswer'];
  readonly log: {
    debug(fields: object, text: string): void;
    error(fields: object, text: string): void;
  };
}

/** One subscription for an operator to see. */
export interface SubscriptionSummary {
  readonly id: string;
  readonly subscriber: string;
  readonly role: Principal['role'];
  readonly resources: readonly string[];
  /** ISO 8601. */
  readonly expires: string;
  /** Number of resources whose state the subscriber was told. */
  readonly told: number;
  /** A NOTIFY waits for its answer. */
  readonly outstanding: boolean;
}

export class Notifier implements SubscriptionKeeper {
  readonly #options: NotifierOptions;
  readonly #subscriptions = new Map<string, WatchedSubscription>();
  readonly #bySubscriber = new Map<string, number>();
  readonly #sender: NotifySender;
  readonly #watchers: Watchers;
  readonly #window: SendWindow<NotifyTask>;
  #onEmpty: (() => void) | undefined;
  /** Whoever was not told in time that it is over is taken up by the next start. */
  #stopped = false;

  constructor(options: NotifierOptions) {
    this.#options = options;
    const { rows, viewOf, largestBody, timers } = options;
    this.#sender = new NotifySender({
      rows,
      viewOf,
      largestBody,
      now: () => timers.now(),
      onAnswer: options.onAnswer,
      onRates: (subscription, rates) => this.#grant(subscription, rates, subscription.state.expires - timers.now()),
    });
    this.#watchers = new Watchers(this.#sender.history);
    this.#window = new SendWindow(options.timers, (task) => this.#notify(task));
  }

  /** Set once, before anything is subscribed. */
  attach(port: Pick<SipPort, 'notify'>): void {
    this.#sender.attach(port);
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  /** NOTIFYs that wait for their turn to be sent. */
  get waiting(): number {
    return this.#window.waiting;
  }

  /** Number of subscriptions of one subscriber. */
  subscriptionsOf(principal: Principal): number {
    return this.#bySubscriber.get(principalName(principal)) ?? 0;
  }

  find(id: string): WatchedSubscription | undefined {
    return this.#subscriptions.get(id);
  }

  /** A subscription that is not yet told anything; `expires` in milliseconds since 1970. */
  create(
    facts: SubscriptionFacts,
    entries: readonly ResourceEntry[],
    dialog: string,
    expires: number,
  ): WatchedSubscription {
    const subscription = new WatchedSubscription(this, facts, newSubscription(expires), entries, dialog);
    // Watched from now on: a change that comes while the row is being written must not be lost.
    this.#subscriptions.set(facts.id, subscription);
    this.#count(facts.principal, 1);
    this.#watchers.add(subscription);
    return subscription;
  }

  #count(principal: Principal, change: number): void {
    const name = principalName(principal);
    const count = (this.#bySubscriber.get(name) ?? 0) + change;
    if (count > 0) this.#bySubscriber.set(name, count);
    else this.#bySubscriber.delete(name);
  }

  /**
   * Takes up a stored subscription; nothing is told before `start`.
   * @param principal who the subscriber is now; undefined when it is nobody here any more, and is told nothing but that
   * @param expires milliseconds since 1970
   */
  restore(
    id: string,
    row: SubscriptionRow,
    principal: Principal | undefined,
    entries: readonly ResourceEntry[],
    expires: number,
  ): void {
    const { toTag, eventId, contact, peer, asserted, dialog, reserved, told } = row;
    const facts: SubscriptionFacts = {
      id,
      toTag,
      principal: principal ?? row.principal,
      eventId,
      contact,
      peer,
      asserted,
    };
    const subscription = this.create(facts, entries, JSON.stringify(dialog), expires);
    subscription.cseq = reserved;
    subscription.reserved = reserved;
    subscription.rates = row.rates;
    subscription.ratesByAnswer = row.ratesByAnswer === true;
    subscription.state.quenched = row.quenched === true;
    this.#seed(subscription);
    subscription.diffProcessing = row.diffProcessing ?? 'no-patching';
    subscription.told = new Map(Object.entries(told ?? {}));
    subscription.compareAll = principal !== undefined;
    if (principal === undefined) subscription.state.ending = 'rejected';
    else if (row.tooMuchTold === true) subscription.state.ending = 'deactivated';
    else if (this.#isUnserved(subscription)) subscription.state.ending = 'noresource';
    else if (told === undefined) subscription.state.owed = 'full';
  }

  /** Lets the restored subscriptions tell what changed since they last told something. */
  start(): void {
    for (const subscription of this.#subscriptions.values()) {
      if (!subscription.state.accepted) this.#step(subscription, { event: 'resumed' });
    }
  }

  /** Forgets a subscription whose 200 could not be sent. */
  abandon(subscription: WatchedSubscription): void {
    this.#remove(subscription, 'the answer could not be sent');
  }

  /** Replaces the resources of a subscription; the full state that follows a SUBSCRIBE tells the new ones. */
  replaceEntries(subscription: WatchedSubscription, entries: readonly ResourceEntry[]): void {
    this.#watchers.replaceEntries(subscription, entries);
  }

  /** Nothing that the entries name is served here any more, whoever asks. */
  #isUnserved({ entries, facts: { principal } }: WatchedSubscription): boolean {
    const view = this.#options.viewOf(principal);
    return view === undefined || !entries.some((entry) => view.resources.servable(principal, entry));
  }

  /** Sets the rates that a SUBSCRIBE asks for, or leaves us free (RFC 6446 clause 4.1). `duration` in seconds. */
  pace(subscription: WatchedSubscription, asked: Rates | undefined, duration: number): void {
    subscription.ratesByAnswer = asked !== undefined;
    this.#grant(subscription, asked, duration * 1000);
  }

  /** `duration`: milliseconds that the subscription still has. */
  #grant(subscription: WatchedSubscription, asked: Rates | undefined, duration: number): void {
    const interval = this.#options.interval(subscription.facts.principal);
    subscription.rates = asked === undefined ? undefined : grantedRates(asked, interval, duration / 1000);
    this.#seed(subscription);
  }

  #seed({ rates, sentLately }: WatchedSubscription): void {
    if (rates?.adaptiveMinRate === undefined || sentLately.length > 0) return;
    sentLately.push(...timesBefore(this.#options.timers.now(), rates.adaptiveMinRate));
  }

  /**
   * Whether a refresh needs no NOTIFY: the subscriber knows the state by its tag, and nothing is owed (RFC 5839 clause 6.3).
   * @param entries the list that came with it, if any
   */
  isKnown(subscription: WatchedSubscription, tag: string, entries: readonly ResourceEntry[] | undefined): boolean {
    const { state, dirty, compareAll } = subscription;
    // RFC 5839 6.3: always true
    if (tag === '*') return true;
    // RFC 5875 4.7: another set of URIs is another state
    if (entries !== undefined && !sameEntries(subscription.entries, entries)) return false;
    const idle = state.owed === 'nothing' && !state.outstanding && dirty === undefined && !compareAll;
    return idle && tag === toldTag(subscription);
  }

  /** Takes a refresh that is answered 204; `expires` absent = it ended the subscription. */
  refreshed(subscription: WatchedSubscription, expires: number | undefined): void {
    if (expires === undefined) this.#remove(subscription, 'ended without a NOTIFY');
    else this.#step(subscription, { event: 'extended', expires });
  }

  /** Called when the 200 to a SUBSCRIBE has left. `expires` absent = it was the last one. */
  subscribed(subscription: WatchedSubscription, expires: number | undefined): void {
    this.#step(subscription, { event: 'subscribed', expires });
  }

  /** Finds the subscriptions that a commit concerns, and no others. */
  onChange(event: ChangeEvent): void {
    for (const subscription of this.#watchers.concernedBy(event)) this.#step(subscription, { event: 'changed' });
  }

  /** Compares all that every subscriber was told with what it may see now. */
  recheck(): void {
    for (const subscription of this.#subscriptions.values()) {
      subscription.compareAll = true;
      this.#step(subscription, { event: 'changed' });
    }
  }

  timerFired(subscription: WatchedSubscription): void {
    this.#step(subscription, { event: 'timer' });
  }

  /** Ends every subscription and waits for the answers, at most `patience` milliseconds. */
  async endAll(reason: EndReason, patience: number): Promise<void> {
    if (this.#subscriptions.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patience);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    for (const subscription of [...this.#subscriptions.values()]) this.#step(subscription, { event: 'end', reason });
    await empty;
    this.#stopped = true;
  }

  summaries(): readonly SubscriptionSummary[] {
    return [...this.#subscriptions.values()].map(({ facts, entries, state, told }) => ({
      id: facts.id,
      subscriber: principalName(facts.principal),
      role: facts.principal.role,
      resources: entries.map((entry) => entry.sel),
      expires: new Date(state.expires).toISOString(),
      told: told.size,
      outstanding: state.outstanding,
    }));
  }

  #step(subscription: WatchedSubscription, event: SubscriptionEvent): void {
    if (subscription.removed) return;
    const now = this.#options.timers.now();
    const interval = this.#options.interval(subscription.facts.principal);
    const { rates, sentLately, state } = subscription;
    const { shortest, longest } = paceOf(rates, interval, sentLately, now);
    const effect = advance(state, event, now, shortest, longest);
    this.#act(subscription, effect, event.event === 'subscribed');
  }

  #act(subscription: WatchedSubscription, effect: SubscriptionEffect, asked: boolean): void {
    if (effect.effect === 'notify') {
      const task = { subscription, owed: effect.owed, reason: effect.reason };
      // RFC 6665 4.2.1.2: at once; and these come no faster than the SUBSCRIBEs that ask for them
      if (asked) this.#window.pass(task);
      else this.#window.add(task);
    } else if (effect.effect === 'remove') this.#remove(subscription, effect.cause);
    else this.#wakeAt(subscription, effect.until);
  }

  /** An earlier timer may stay: it finds nothing to do and sets the next one. */
  #wakeAt(subscription: WatchedSubscription, until: number): void {
    const { timer } = subscription;
    if (until === Number.POSITIVE_INFINITY || (timer !== undefined && timer.due <= until)) return;
    if (timer !== undefined) timer.owner = undefined;
    const { timers } = this.#options;
    subscription.timer = timers.after(Math.max(0, until - timers.now()), subscription);
  }

  #remove(subscription: WatchedSubscription, cause: string): void {
    if (subscription.removed) return;
    subscription.removed = true;
    const { facts, timer } = subscription;
    this.#options.log.debug({ subscription: facts.id, cause }, 'subscription removed');
    if (timer !== undefined) timer.owner = undefined;
    this.#watchers.remove(subscription);
    this.#subscriptions.delete(facts.id);
    this.#count(facts.principal, -1);
    if (subscription.dialog !== '' && !this.#stopped) this.#options.rows.delete(subscription);
    if (this.#subscriptions.size === 0) this.#onEmpty?.();
  }

  /** Sends one NOTIFY and takes its answer. Never rejects. */
  async #notify(task: NotifyTask): Promise<void> {
    const { subscription } = task;
    let event: SubscriptionEvent;
    try {
      event = await this.#sender.send(task);
    } catch (error) {
      this.#options.log.error({ subscription: subscription.facts.id, error: String(error) }, 'NOTIFY failed');
      // What was to be compared may be lost with the failure.
      subscription.compareAll = true;
      event = { event: 'answered', status: 500 };
    }
    this.#step(subscription, event);
    if (event.event === 'answered' && !subscription.removed && subscription.dialog !== '') {
      this.#options.rows.putLater(subscription);
    }
  }
}
