// One subscription in memory, kept small because there are many: plain fields, shared entries, one timer in a common queue.
import type { Principal } from '../identity/principal.ts';
import type { DiffProcessing } from './document-patches.ts';
import type { Timer, TimerOwner } from './engine/timer-queue.ts';
import type { Rates } from './rate-control.ts';
import type { Resource, ResourceEntry, WatchedNode } from './resource-entry.ts';
import type { StateDigest } from './state-tag.ts';
import type { SubscriptionState } from './subscription.ts';

/** A resource whose tag, or component whose content, must be compared with what was told. */
export interface Target {
  readonly sel: string;
  readonly resource: Resource;
  /** Set when it is an element or attribute of the resource. */
  readonly node?: WatchedNode | undefined;
  /** Sequence of the first commit whose change of the resource has not been told; absent when that is not known. */
  readonly since?: number | undefined;
}

/** What does not change in the life of a subscription. */
export interface SubscriptionFacts {
  /** Dialog id of the engine: `Call-ID;from-tag=tag of the SUBSCRIBE`. */
  readonly id: string;
  readonly toTag: string;
  readonly principal: Principal;
  /** `id` parameter of the Event field, RFC 6665 clause 8.2.1; '' = none. */
  readonly eventId: string;
  /** Contact of our NOTIFYs. */
  readonly contact: string;
  /** Address from which the subscription was made. */
  readonly peer: string;
  /** P-Asserted-Identity that came beside the access token which decided who the subscriber is. */
  readonly asserted?: string | undefined;
}

/** What the subscription needs of its keeper. */
export interface SubscriptionKeeper {
  timerFired(subscription: WatchedSubscription): void;
}

export class WatchedSubscription implements TimerOwner {
  readonly facts: SubscriptionFacts;
  readonly state: SubscriptionState;
  readonly #keeper: SubscriptionKeeper;
  entries: readonly ResourceEntry[];
  /** JSON of the DialogRecord, without `localCSeq` and `expiresAt`; '' for a fetch, which is not kept. */
  dialog: string;
  /** Tags last told, by watch key; of components a digest of the content, by component key. */
  told = new Map<string, string>();
  /** Digest of `told`, when it is large and the digest up to date. */
  digest: StateDigest | undefined;
  /** Targets to compare, by watch key; allocated while there are any. */
  dirty: Map<string, Target> | undefined;
  /** Set after a restart until everything was compared once. */
  compareAll = false;
  /** How changes of documents are shown; a SUBSCRIBE sets it for what follows its own NOTIFY. */
  diffProcessing: DiffProcessing = 'no-patching';
  /** Rates in use, when the subscriber asked for any. */
  rates: Rates | undefined;
  /** The last SUBSCRIBE asked for rates, so that answers to NOTIFYs may change them (RFC 6446 clause 4.1). */
  ratesByAnswer = false;
  /** When the last NOTIFYs went out; kept for the adaptive rate alone. */
  readonly sentLately: number[] = [];
  /** The first NOTIFY needs no body when the state has this tag (RFC 5839 clause 5.5). */
  suppress: string | undefined;
  /** Octets of the largest body, when the subscriber has refused a larger one (RFC 5875 clause 4.7). */
  largestBody: number | undefined;
  timer: Timer | undefined;
  /** CSeq of the last NOTIFY, 0 = none yet. */
  cseq = 0;
  /** No NOTIFY may have a higher CSeq than this before a higher one is stored; 0 = none stored. */
  reserved = 0;
  removed = false;

  constructor(
    keeper: SubscriptionKeeper,
    facts: SubscriptionFacts,
    state: SubscriptionState,
    entries: readonly ResourceEntry[],
    dialog: string,
  ) {
    this.#keeper = keeper;
    this.facts = facts;
    this.state = state;
    this.entries = entries;
    this.dialog = dialog;
  }

  onTimer(): void {
    this.timer = undefined;
    this.#keeper.timerFired(this);
  }

  /** Notes that a resource may have changed; the first `sel` for it stays, and since when. */
  mark(watch: string, target: Target): void {
    if (this.dirty === undefined) this.dirty = new Map([[watch, target]]);
    else if (!this.dirty.has(watch)) this.dirty.set(watch, target);
  }

  /** Notes many at once; the map becomes the subscription's own. */
  markAll(targets: Map<string, Target>): void {
    const later = this.dirty;
    this.dirty = targets;
    for (const [watch, target] of later ?? []) this.mark(watch, target);
  }
}
