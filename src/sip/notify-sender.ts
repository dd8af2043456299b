// One NOTIFY from beginning to end: what is owed is composed in the subscriber's view, sent, and booked by its answer.
import type { Principal } from '../identity/principal.ts';
import { DocumentHistory } from './document-history.ts';
import { DocumentPatches } from './document-patches.ts';
import type { ToldState } from './notification-journal.ts';
import { notifyBody } from './notify-body.ts';
import { noteSending, notifyHeaders, tagAfter, takeAsTold, toldTag } from './notify-request.ts';
import { ratesByAnswer } from './rate-control.ts';
import type { SipPort } from './sip-port.ts';
import { type Telling, type ToldResource, targetsToCompare, tellChanges, tellEverything } from './state-teller.ts';
import { type EndReason, endWith, type Owed, type SubscriptionEvent } from './subscription.ts';
import type { SubscriptionRows } from './subscription-rows.ts';
import type { VisibleResources } from './visible-resources.ts';
import type { Target, WatchedSubscription } from './watched-subscription.ts';

/** What subscribers of one face see and are told. */
export interface FaceView {
  readonly resources: VisibleResources;
  /** Root of the face that the subscriber uses, ending with a slash. */
  readonly xcapRoot: string;
}

export interface NotifySenderOptions {
  readonly rows: SubscriptionRows;
  /** The view of a principal; undefined when subscribers of its role are not served. */
  readonly viewOf: (principal: Principal) => FaceView | undefined;
  /** Octets of the largest NOTIFY body. */
  readonly largestBody: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A NOTIFY that told something has its final answer. */
  readonly onAnswer?: ((principal: Principal, told: readonly ToldState[], status: number) => void) | undefined;
  /** An answer to a NOTIFY has asked for other rates (RFC 6446 clause 9.3). */
  readonly onRates: (
    subscription: WatchedSubscription,
    rates: Exclude<ReturnType<typeof ratesByAnswer>, 'unchanged'>,
  ) => void;
}

/** RFC 3261 clauses 21.4.11 and 21.5.7. */
const tooLarge = new Set([413, 513]);
/** Octets below which a body is not made smaller. */
const smallestBody = 500;

/** What one NOTIFY is to tell. */
export interface NotifyTask {
  readonly subscription: WatchedSubscription;
  readonly owed: Owed;
  /** Set when it is the last one. */
  readonly reason: EndReason | undefined;
}

/** A NOTIFY that is ready to be sent. */
interface Composed extends Telling {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class NotifySender {
  /** What commits left, for who is told change by change. */
  readonly history = new DocumentHistory();
  readonly #options: NotifySenderOptions;
  readonly #patches = new DocumentPatches();
  #port: Pick<SipPort, 'notify'> | undefined;

  constructor(options: NotifySenderOptions) {
    this.#options = options;
  }

  /** Set once, before anything is sent. */
  attach(port: Pick<SipPort, 'notify'>): void {
    this.#port = port;
  }

  /** Sends one NOTIFY, or finds that there is nothing to tell; answers what happened. Rejects when the documents or the store fail. */
  async send({ subscription, owed, reason }: NotifyTask): Promise<SubscriptionEvent> {
    const { facts, entries } = subscription;
    if (subscription.removed || this.#port === undefined) return { event: 'unsent' };
    const composed = await this.#compose(subscription, owed, reason);
    if (composed === undefined) return { event: 'unsent' };
    const { changes, rest, headers, body } = composed;
    // A CSeq must be reserved in the store before it is used: after a crash it must not go back.
    if (subscription.dialog !== '' && subscription.cseq > 0 && subscription.cseq + 1 > subscription.reserved) {
      await this.#options.rows.put(subscription);
    } else if (subscription.dialog !== '' && changes.some(({ newTag }) => newTag === undefined)) {
      // After a crash nothing else would show that what is gone was ever told
      await this.#options.rows.settle(subscription);
    }
    noteSending(subscription, this.#options.now());
    const { status, retryAfter, cseq, event } = await this.#port.notify(facts.id, headers, body);
    if (cseq !== undefined) subscription.cseq = cseq;
    const states = changes.map(({ target, newTag }) => ({ resource: target.resource, newTag }));
    this.#options.onAnswer?.(facts.principal, states, status);
    const told = status >= 200 && status < 300;
    // RFC 5875 4.7: what is too large for the subscriber is told in smaller pieces, patches and elements by their names alone
    if (tooLarge.has(status)) subscription.largestBody = Math.max(smallestBody, Buffer.byteLength(body) >> 1);
    if (told) {
      takeAsTold(subscription, owed, changes);
      const rates = subscription.ratesByAnswer ? ratesByAnswer(event) : 'unchanged';
      if (rates !== 'unchanged') this.#options.onRates(subscription, rates);
    }
    // What is left over belongs to the list it was composed from; a new one is told from the beginning.
    if (subscription.entries === entries) {
      if (!told) subscription.markAll(new Map(changes.map(({ watch, target }) => [watch, target])));
      if (rest !== undefined) subscription.markAll(rest);
    }
    return { event: 'answered', status, retryAfter, more: rest !== undefined };
  }

  /** Undefined when there is nothing to tell. */
  async #compose(
    subscription: WatchedSubscription,
    owed: Owed,
    reason: EndReason | undefined,
  ): Promise<Composed | undefined> {
    const { facts, state } = subscription;
    const view = this.#options.viewOf(facts.principal);
    const silent = state.quenched || subscription.suppress !== undefined;
    const { changes, rest, tag } =
      view === undefined ? nothing : await this.#tell(subscription, silent ? 'full' : owed, view.resources, silent);
    if (changes.length === 0 && owed !== 'full' && reason === undefined) return undefined;
    // RFC 5839 5.2, 6.2: who has this state, or wants none, is not told it again
    const known = state.quenched || (tag !== undefined && subscription.suppress === tag);
    if (silent && !known) {
      subscription.suppress = undefined;
      return this.#compose(subscription, owed, reason);
    }
    subscription.suppress = undefined;
    if (known) state.unchanged = true;
    const ending = rest === undefined ? (reason ?? (await this.#rejection(subscription, changes, view))) : undefined;
    if (ending !== undefined && reason === undefined) endWith(state, ending);
    const body = owed === 'nothing' || known || view === undefined ? '' : notifyBody(view.xcapRoot, changes);
    const left = Math.max(0, state.expires - this.#options.now());
    const headers = {
      ...notifyHeaders(subscription, ending, left, body !== ''),
      ...(tag === undefined ? {} : { 'SIP-ETag': tag }),
    };
    return { changes, rest, headers, body };
  }

  /** What is owed, and the tag of the state that it brings about when it is told to the end. `whole`: in one piece however large. */
  async #tell(
    subscription: WatchedSubscription,
    owed: Owed,
    resources: VisibleResources,
    whole: boolean,
  ): Promise<Telling & { readonly tag: string | undefined }> {
    const largest = Math.min(this.#options.largestBody, subscription.largestBody ?? Number.POSITIVE_INFINITY);
    const largestBody = whole ? Number.POSITIVE_INFINITY : largest;
    const sources = { resources, patches: this.#patches, history: this.history };
    if (owed === 'nothing') {
      const inDoubt = subscription.dirty !== undefined || subscription.compareAll;
      return { ...nothing, tag: inDoubt ? undefined : toldTag(subscription) };
    }
    const targets = await this.#targets(subscription, owed, resources);
    const telling =
      owed === 'full'
        ? await tellEverything(subscription, sources, largestBody)
        : await tellChanges(subscription, targets, sources, largestBody);
    const tag = telling.rest === undefined ? tagAfter(subscription, owed, telling.changes) : undefined;
    return { ...telling, tag };
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
      for (const [watch, target] of await targetsToCompare(subscription, resources)) {
        if (!targets.has(watch)) targets.set(watch, target);
      }
    }
    subscription.compareAll = false;
    return targets;
  }

  /** `rejected` when this NOTIFY takes from the subscriber the last thing that it may read (RFC 6665 clause 4.1.3). */
  async #rejection(
    { entries, facts }: WatchedSubscription,
    changes: readonly ToldResource[],
    view: FaceView | undefined,
  ): Promise<EndReason | undefined> {
    const gone = changes.some(({ newTag, previousTag }) => newTag === undefined && previousTag !== undefined);
    if (!gone || view === undefined) return undefined;
    for (const entry of entries) {
      // RFC 5875 4.7: what may still come there is waited for
      if (entry.kind === 'collection') return undefined;
      if ((await view.resources.standing(facts.principal, entry.resource)) !== 'withheld') return undefined;
    }
    return 'rejected';
  }
}

const nothing = { changes: [], rest: undefined, tag: undefined } as const;
