// The notifier of the event package xcap-diff (RFC 5875, RFC 6665): keeps the subscriptions and tells what changed.
// When a subscription speaks is decided in subscription.ts, what it says in state-teller.ts, who may subscribe in admission.ts.
import type { ChangeEvent } from '../documents/documents.ts';
import { type Principal, principalName } from '../identity/principal.ts';
import { DocumentPatches } from './document-patches.ts';
import type { TimerQueue } from './engine/timer-queue.ts';
import { notifyBody } from './notify-body.ts';
import { noteSending, notifyHeaders, tagAfter, takeAsTold } from './notify-request.ts';
import { grantedRates, paceOf, type Rates } from './rate-control.ts';
import { type Addresses, addressesOf, componentKey, nodesKey, type ResourceEntry, selBelow } from './resource-entry.ts';
import { SendWindow } from './send-window.ts';
import type { SipPort } from './sip-port.ts';
import { sameEntries, stateTag } from './state-tag.ts';
import { type Telling, targetsToCompare, tellChanges, tellEverything } from './state-teller.ts';
import {
  advance,
  type EndReason,
  newSubscription,
  type Owed,
  type SubscriptionEffect,
  type SubscriptionEvent,
} from './subscription.ts';
import { SubscriptionIndex } from './subscription-index.ts';
import type { SubscriptionRow, SubscriptionRows } from './subscription-rows.ts';
import type { VisibleResources } from './visible-resources.ts';
import {
  type SubscriptionFacts,
  type SubscriptionKeeper,
  type Target,
  WatchedSubscription,
} from './watched-subscription.ts';

/** What subscribers of one face see and are told. */
export interface FaceView {
  readonly resources: VisibleResources;
  /** Root of the face that the subscriber uses, ending with a slash. */
  readonly xcapRoot: string;
}

export interface NotifierOptions {
  readonly timers: TimerQueue;
  readonly rows: SubscriptionRows;
  /** The view of a principal; undefined when subscribers of its role are not served. */
  readonly viewOf: (principal: Principal) => FaceView | undefined;
  /** Milliseconds between two NOTIFYs of one subscription, by role of the subscriber. */
  readonly interval: (principal: Principal) => number;
  /** Octets of the largest NOTIFY body. */
  readonly largestBody: number;
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

/** A NOTIFY whose turn has not come. */
interface Task {
  readonly subscription: WatchedSubscription;
  readonly owed: Owed;
  readonly reason: EndReason | undefined;
}

export class Notifier implements SubscriptionKeeper {
  readonly #options: NotifierOptions;
  readonly #subscriptions = new Map<string, WatchedSubscription>();
  readonly #bySubscriber = new Map<string, number>();
  readonly #index = new SubscriptionIndex<WatchedSubscription>();
  readonly #patches = new DocumentPatches();
  readonly #window: SendWindow<Task>;
  #port: SipPort | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#window = new SendWindow(options.timers, (task) => this.#notify(task));
  }

  /** Set once, before anything is subscribed. */
  attach(port: SipPort): void {
    this.#port = port;
  }

  get size(): number {
    return this.#subscriptions.size;
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
    this.#index.add(subscription, entries);
    return subscription;
  }

  #count(principal: Principal, change: number): void {
    const name = principalName(principal);
    const count = (this.#bySubscriber.get(name) ?? 0) + change;
    if (count > 0) this.#bySubscriber.set(name, count);
    else this.#bySubscriber.delete(name);
  }

  /** Takes up a stored subscription; nothing is told before `start`. `expires` in milliseconds since 1970. */
  restore(id: string, row: SubscriptionRow, entries: readonly ResourceEntry[], expires: number): void {
    const { toTag, principal, eventId, contact, peer, asserted, dialog, reserved, told } = row;
    const facts: SubscriptionFacts = { id, toTag, principal, eventId, contact, peer, asserted };
    const subscription = this.create(facts, entries, JSON.stringify(dialog), expires);
    subscription.cseq = reserved;
    subscription.reserved = reserved;
    subscription.rates = row.rates;
    subscription.diffProcessing = row.diffProcessing ?? 'no-patching';
    subscription.told = new Map(Object.entries(told ?? {}));
    subscription.compareAll = true;
    if (row.tooMuchTold === true) subscription.state.ending = 'deactivated';
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
    this.#index.remove(subscription, subscription.entries);
    subscription.entries = entries;
    subscription.dirty = undefined;
    this.#index.add(subscription, entries);
  }

  /** Sets the rates that a SUBSCRIBE asks for, or leaves us free (RFC 6446 clause 4.1). `duration` in seconds. */
  pace(subscription: WatchedSubscription, asked: Rates | undefined, duration: number): void {
    const interval = this.#options.interval(subscription.facts.principal);
    subscription.rates = asked === undefined ? undefined : grantedRates(asked, interval, duration);
  }

  /**
   * Whether a refresh needs no NOTIFY: the subscriber knows the state by its tag, and nothing is owed (RFC 5839 clause 6.3).
   * @param entries the list that came with it, if any
   */
  isKnown(subscription: WatchedSubscription, tag: string, entries: readonly ResourceEntry[] | undefined): boolean {
    const { state, told, dirty, compareAll } = subscription;
    // RFC 5875 4.7: another set of URIs is another state
    if (entries !== undefined && !sameEntries(subscription.entries, entries)) return false;
    if (tag === '*') return true;
    const idle = state.owed === 'nothing' && !state.outstanding && dirty === undefined && !compareAll;
    return idle && tag === stateTag(subscription.entries, told);
  }

  /** Takes a refresh that is answered 204; `expires` absent = it ended the subscription. */
  refreshed(subscription: WatchedSubscription, expires: number | undefined): void {
    if (expires === undefined) this.#remove(subscription, 'ended without a NOTIFY');
    else subscription.state.expires = expires;
  }

  /** Called when the 200 to a SUBSCRIBE has left. `expires` absent = it was the last one. */
  subscribed(subscription: WatchedSubscription, expires: number | undefined): void {
    this.#step(subscription, { event: 'subscribed', expires });
  }

  /** Finds the subscriptions that a commit concerns, and no others. */
  onChange(event: ChangeEvent): void {
    const concerned = new Set<WatchedSubscription>();
    for (const { key, groupId, previousGroupId, previousTag, tag } of event.changes) {
      if (previousTag !== undefined && tag !== undefined) this.#patches.step(previousTag, tag);
      for (const address of addressesOf(key, groupId)) this.#mark(address, concerned);
      if (previousGroupId === undefined) continue;
      for (const address of addressesOf(key, previousGroupId)) this.#mark(address, concerned);
    }
    for (const subscription of concerned) this.#step(subscription, { event: 'changed' });
  }

  /** Compares all that every subscriber was told with what it may see now. */
  recheck(): void {
    for (const subscription of this.#subscriptions.values()) {
      subscription.compareAll = true;
      this.#step(subscription, { event: 'changed' });
    }
  }

  #mark({ watch, resource, collections }: Addresses, concerned: Set<WatchedSubscription>): void {
    for (const [subscription, entry] of this.#index.watching(watch)) {
      subscription.mark(watch, { sel: entry.sel, resource });
      concerned.add(subscription);
    }
    const nodes = nodesKey(watch);
    for (const [subscription] of this.#index.watching(nodes)) {
      for (const entry of subscription.entries) {
        if (entry.kind === 'component' && entry.watch === nodes) subscription.mark(componentKey(entry), entry);
      }
      concerned.add(subscription);
    }
    for (const collection of collections) {
      for (const [subscription, entry] of this.#index.watching(collection)) {
        if (entry.kind !== 'collection') continue;
        subscription.mark(watch, { sel: selBelow(entry, resource), resource });
        concerned.add(subscription);
      }
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
    this.#act(subscription, advance(state, event, now, shortest, longest));
  }

  #act(subscription: WatchedSubscription, effect: SubscriptionEffect): void {
    if (effect.effect === 'notify') {
      this.#window.add({ subscription, owed: effect.owed, reason: effect.reason });
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
    this.#index.remove(subscription, subscription.entries);
    this.#subscriptions.delete(facts.id);
    this.#count(facts.principal, -1);
    if (subscription.dialog !== '') this.#options.rows.delete(subscription);
    if (this.#subscriptions.size === 0) this.#onEmpty?.();
  }

  /** Composes and sends one NOTIFY and takes its answer. Never rejects. */
  async #notify({ subscription, owed, reason }: Task): Promise<void> {
    try {
      await this.#tell(subscription, owed, reason);
    } catch (error) {
      this.#options.log.error({ subscription: subscription.facts.id, error: String(error) }, 'NOTIFY failed');
      // What was to be compared may be lost with the failure.
      subscription.compareAll = true;
      this.#step(subscription, { event: 'answered', status: 500 });
    }
  }

  async #tell(subscription: WatchedSubscription, owed: Owed, reason: EndReason | undefined): Promise<void> {
    const { facts, state, entries } = subscription;
    const view = this.#options.viewOf(facts.principal);
    if (subscription.removed || view === undefined || this.#port === undefined) return;
    const targets = await this.#targets(subscription, owed, view.resources);
    const telling = await this.#compose(subscription, owed, targets, view.resources);
    const { changes, rest } = telling;
    const more = rest !== undefined;
    if (changes.length === 0 && owed !== 'full' && reason === undefined) {
      this.#step(subscription, { event: 'unsent' });
      return;
    }
    // A CSeq must be reserved in the store before it is used: after a crash it must not go back.
    if (subscription.dialog !== '' && subscription.cseq > 0 && subscription.cseq + 1 > subscription.reserved) {
      await this.#options.rows.put(subscription);
    }
    const tag = more ? undefined : tagAfter(subscription, owed, changes);
    // RFC 5839 5.5: who comes back with the tag of this state has it already
    const known = subscription.suppress === '*' || (tag !== undefined && subscription.suppress === tag);
    const body = owed === 'nothing' || (known && !more) ? '' : notifyBody(view.xcapRoot, changes);
    subscription.suppress = undefined;
    noteSending(subscription, this.#options.timers.now());
    const left = Math.max(0, state.expires - this.#options.timers.now());
    const headers = {
      ...notifyHeaders(subscription, more ? undefined : reason, left, body !== ''),
      ...(tag === undefined ? {} : { 'SIP-ETag': tag }),
    };
    const outcome = await this.#port.notify(facts.id, headers, body);
    if (outcome.cseq !== undefined) subscription.cseq = outcome.cseq;
    const told = outcome.status >= 200 && outcome.status < 300;
    if (told) takeAsTold(subscription, owed, changes);
    // What is left over belongs to the list it was composed from; a new one is told from the beginning.
    if (subscription.entries === entries) {
      if (!told) for (const { watch, target } of changes) subscription.mark(watch, target);
      if (rest !== undefined) subscription.markAll(rest);
    }
    const { status, retryAfter } = outcome;
    this.#step(subscription, { event: 'answered', status, retryAfter, more });
    if (!subscription.removed && subscription.dialog !== '') this.#options.rows.putLater(subscription);
  }

  /** Takes what has to be compared from the subscription. */
  async #targets(
    subscription: WatchedSubscription,
    owed: Owed,
    resources: VisibleResources,
  ): Promise<Map<string, Target>> {
    const targets = subscription.dirty ?? new Map<string, Target>();
    subscription.dirty = undefined;
    if (owed !== 'full' && subscription.compareAll) {
      for (const [watch, target] of await targetsToCompare(subscription, resources)) targets.set(watch, target);
    }
    subscription.compareAll = false;
    return targets;
  }

  async #compose(
    subscription: WatchedSubscription,
    owed: Owed,
    targets: Map<string, Target>,
    resources: VisibleResources,
  ): Promise<Telling> {
    const { largestBody } = this.#options;
    if (owed === 'full') return tellEverything(subscription, resources, largestBody, this.#patches);
    if (owed === 'changes') return tellChanges(subscription, targets, resources, largestBody, this.#patches);
    return { changes: [], rest: undefined };
  }
}
