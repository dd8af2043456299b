// What interconnection needs of the other system and offers to our faces. No protocol here:
// xcap/ and sip/ implement PartnerGms, the composition root wires it.
import type { Preconditions, PutOutcome, ServedDocument } from '../documents/documents.ts';
import type { PartnerPrincipal, Principal } from '../identity/principal.ts';
import type { DeliveryRecord } from '../store/store.ts';

/**
 * `accepted`: stored by the partner. `refused`: will not succeed by repeating (4xx). `failed`: may succeed later (no answer, 5xx, 408, 429).
 */
export type ProvideOutcome =
  | {
      readonly outcome: 'accepted';
      readonly created: boolean;
      readonly tag?: string | undefined;
      /** What an operator should know of it. */
      readonly note?: string | undefined;
    }
  | { readonly outcome: 'refused'; readonly status: number; readonly reason: string }
  | { readonly outcome: 'failed'; readonly reason: string; readonly retryAfter?: number | undefined };

export type FetchOutcome =
  | { readonly outcome: 'fetched'; readonly bytes: Uint8Array; readonly tag?: string | undefined }
  | { readonly outcome: 'unchanged' }
  | { readonly outcome: 'absent' }
  | { readonly outcome: 'refused'; readonly status: number; readonly reason: string }
  /** `retryAfter`: seconds for which the partner asks not to be asked. */
  | { readonly outcome: 'failed'; readonly reason: string; readonly retryAfter?: number | undefined };

/** One XCAP root of a partner, as it looks from here. */
export interface RootCheck {
  readonly root: string;
  /** The certificate that it showed; absent = none, for want of TLS or of a connection. */
  readonly tls?:
    | {
        readonly protocol?: string | undefined;
        readonly cipher?: string | undefined;
        /** Subject alternative names. */
        readonly names: readonly string[];
        /** Base64 SHA-256 of its public key. */
        readonly spki: string;
        /** ISO 8601. */
        readonly validUntil?: string | undefined;
      }
    | undefined;
  /** Why no answer came; `code` is that of Node.js or of TLS. */
  readonly problem?: { readonly code: string; readonly text: string } | undefined;
  /** Answer to the question for its capabilities, which it gives to those that it knows. */
  readonly answer?: { readonly status: number; readonly reason?: string | undefined } | undefined;
}

/** What came of one subscription that was tried at a partner. */
export interface WatchProbe {
  /** Final status of the SUBSCRIBE; 0 = the partner has no address. */
  readonly status: number;
  /** The NOTIFY came. */
  readonly notified: boolean;
  /** SIP URI it was sent to; absent = where the engine sends it. */
  readonly nextHop?: string | undefined;
}

/** Canonical IDs of the groups that a partner shows us: its own that we may request, and ours that it holds. */
export type DirectoryOutcome =
  | { readonly outcome: 'listed'; readonly groups: readonly string[] }
  | Exclude<FetchOutcome, { readonly outcome: 'fetched' | 'unchanged' }>;

/** Where a partner takes our groups: at their addresses by group ID, or below a XUI in its users tree. */
export type ProvidePlace = 'byGroupID' | { readonly users: string };

/**
 * The group management server of one partner system, over whatever protocol. Methods never throw for what the partner does. A `signal`
 * that aborts ends the request, which then is `failed`.
 */
export interface PartnerGms {
  /**
   * Group information provision request, TS 23.280 clause 10.2.7. `knownTag` = tag the partner gave for what it holds; where it holds
   * something else, an answer got lost, and the content, which is the newest, replaces that all the same. `place`: absent = where the
   * partner is configured to take groups.
   */
  provide(
    partner: string,
    groupId: string,
    bytes: Uint8Array,
    knownTag: string | undefined,
    signal?: AbortSignal,
    place?: ProvidePlace,
  ): Promise<ProvideOutcome>;
  /**
   * Deletion or withdrawal of a provided group; an absent group counts as accepted. `knownTag` as above: it keeps a message that is held up
   * from removing what is provided after it; where the partner holds something else, that goes too, since only we provide the group.
   * `place`: where it was put; absent = as above.
   */
  withdraw(
    partner: string,
    groupId: string,
    knownTag: string | undefined,
    signal?: AbortSignal,
    place?: ProvidePlace,
  ): Promise<ProvideOutcome>;
  /** Group information request; `knownTag` = tag of the copy held, for revalidation. */
  fetch(partner: string, groupId: string, knownTag: string | undefined, signal?: AbortSignal): Promise<FetchOutcome>;
  /** What the partner holds of a group that we provided to it; `unchanged` = it has one of the tags known. */
  held(partner: string, groupId: string, knownTags: readonly string[], signal?: AbortSignal): Promise<FetchOutcome>;
  /** Looks at every XCAP root of the partner, in order, whether it can be reached, whose certificate it shows, and whether it knows us. */
  check(partner: string): Promise<readonly RootCheck[]>;
  /** The groups that the partner shows us, from its directory of documents (OMA XDM). */
  directory(partner: string, signal?: AbortSignal): Promise<DirectoryOutcome>;
}

/** What the CSC-16 face hands over: every call is checked against the agreement; refusals are uniform outside it. */
export interface PartnerFacing {
  /**
   * Flow A, the partner's side: a provision arrives. Steps 2 to 5; the answer goes out after the durable store. A `body` that still has to
   * come is asked for once the sender may provide this group, and what it throws is passed on.
   * `sent`: when the sender originated the message, by its own clock, ISO 8601; content older than what is held is `precondition-failed`.
   */
  acceptProvision(
    from: PartnerPrincipal,
    groupId: string,
    body: Uint8Array | (() => Promise<Uint8Array>),
    preconditions: Preconditions,
    sent?: string,
  ): Promise<PutOutcome>;
  /** Flow A, deletion or withdrawal arrives; `sent` as above, so that no provision that was sent before brings the group back. */
  acceptWithdrawal(from: PartnerPrincipal, groupId: string, preconditions: Preconditions, sent?: string): Promise<void>;
  /**
   * Flow B, the primary's side: the group as the outbound policy lets this partner see it. Uniform `not-found` outside the agreement.
   * `version`: as it was after one commit, instead of as it is.
   */
  groupForPartner(from: PartnerPrincipal, groupId: string, version?: ServedDocument): Promise<PartnerView>;
  /** All of our groups that this partner may subscribe to or request, as canonical group IDs. */
  groupsForPartner(from: PartnerPrincipal): Promise<readonly string[]>;
}

/** What partners may cost us; faces ask it of each message once they know the sender. */
export interface PartnerAdmission {
  /**
   * Admits one request; the result is to be called when it has been answered. Throws `rate-exceeded`, `unavailable`. The journal has the
   * cause.
   */
  admitRequest(from: PartnerPrincipal): () => void;
  /** Admits one more connection beside `open` others. Throws `unavailable`. */
  admitConnection(from: PartnerPrincipal, open: number): void;
  /** Admits a SUBSCRIBE of a partner that has `others` subscriptions beside it. Throws `unavailable`. */
  admitSubscribe(from: PartnerPrincipal, others: number): void;
}

/** What partners may read to compare both sides; a face may leave it out. */
export interface PartnerCopies {
  /**
   * A group that is at home at the partner as it gave it to us: the bytes and the tag of the source. Undefined when the group is not the
   * partner's, and outside the agreement. Throws `not-found` when we hold none.
   */
  copyForPartner(from: PartnerPrincipal, groupId: string): Promise<PartnerView | undefined>;
  /**
   * All that the partner may read on our CSC-16 face, with the entity tag that a read would tell: our groups that the agreement and our
   * policy let it have, and its own that are held here. Throws `unavailable` while that is being made.
   */
  directoryForPartner(from: PartnerPrincipal): Promise<readonly DirectoryEntry[]>;
}

/** A group that a partner may read. */
export interface DirectoryEntry {
  /** Canonical. */
  readonly groupId: string;
  /** Of the partner's view of our group, or of our copy of its own. */
  readonly tag: string;
}

/** A partner's outbound view of a home group, with its own tag. */
export interface PartnerView {
  readonly groupId: string;
  readonly bytes: Uint8Array;
  readonly tag: string;
  readonly modified: string;
}

export type PullOutcome =
  | { readonly outcome: 'stored'; readonly changed: boolean; readonly tag: string }
  | { readonly outcome: 'unchanged' }
  | { readonly outcome: 'removed' };

/** What waits, runs and is done for one partner. */
export interface DeliveryProgress {
  readonly partner: string;
  /** Waiting for their turn, those in flight left out. */
  readonly queued: number;
  readonly inFlight: number;
  readonly delivered: number;
  /** Refused for good, shown to the operator. */
  readonly parked: number;
  /** Waiting for the operator. */
  readonly braked: number;
  /** When the oldest delivery that is not done was queued, ISO 8601; absent = nothing waits. */
  readonly oldest?: string | undefined;
  /** `open`: the partner failed, nothing is sent before `until`. `half-open`: single deliveries probe it. */
  readonly circuit: 'closed' | 'open' | 'half-open';
  /** ISO 8601; with `open`. */
  readonly until?: string | undefined;
}

/** How far the pull of all known groups of a partner that match a pattern is. */
export interface PullProgress {
  readonly pattern: string;
  /** ISO 8601. */
  readonly started: string;
  /** ISO 8601; absent = it runs. */
  readonly finished?: string | undefined;
  /** Groups to be asked for; the other counts add up to it. */
  readonly total: number;
  readonly stored: number;
  readonly unchanged: number;
  readonly removed: number;
  readonly failed: number;
  /** The first of the failures. */
  readonly failures: readonly { readonly groupId: string; readonly code: string }[];
}

export type ReconcileState = 'equal' | 'differs' | 'missing here' | 'missing there' | 'unknown';

/** One group that is not the same on both sides. */
export interface ReconcileFinding {
  readonly groupId: string;
  readonly state: Exclude<ReconcileState, 'equal'>;
  /** Where the group is defined. */
  readonly home?: 'here' | 'there' | undefined;
  /** For operators. */
  readonly detail?: string | undefined;
  /** What was done about it; absent = nothing was asked for. */
  readonly repair?: string | undefined;
}

/** How far the comparison with a partner is; the counts of the states add up to `total` when it has finished. */
export interface Reconciliation {
  readonly pattern: string;
  readonly repair: boolean;
  /** ISO 8601. */
  readonly started: string;
  /** ISO 8601; absent = it runs. */
  readonly finished?: string | undefined;
  /** Whether the partner listed its groups; without that, what is only there is not found. */
  readonly directory?: string | undefined;
  readonly total: number;
  readonly equal: number;
  readonly differs: number;
  readonly missingHere: number;
  readonly missingThere: number;
  /** Could not be compared. */
  readonly unknown: number;
  /** Repairs queued or done. */
  readonly repaired: number;
  /** All that is not equal, the first of them. */
  readonly findings: readonly ReconcileFinding[];
  readonly findingsLeftOut: number;
}

/** One thing that was tried against a live partner. */
export interface PartnerTestStep {
  readonly step: 'agreement' | 'tls' | 'identity' | 'get' | 'subscribe' | 'notify' | 'put' | 'delete';
  /** `skipped`: not needed, or not possible after what failed before. */
  readonly result: 'works' | 'fails' | 'skipped';
  /** What was seen. */
  readonly detail?: string | undefined;
  /** What to do about it. */
  readonly advice?: string | undefined;
  readonly milliseconds: number;
}

export interface PartnerTest {
  readonly partner: string;
  /** ISO 8601. */
  readonly at: string;
  /** Nothing fails. */
  readonly passed: boolean;
  /** In the order in which they were tried. */
  readonly steps: readonly PartnerTestStep[];
}

/** What our own faces (CSC-2, CSC-3, management) ask. */
export interface OwnFacing {
  /**
   * A group by its ID for a principal of our own system, as it may see it. When it is foreign, missing and the principal is an own
   * MC service server or administrator, flow B runs first; concurrent askers share one request. Throws a Refusal.
   */
  group(principal: Principal, groupId: string): Promise<ServedDocument>;
  /** Since when the copy of a foreign group cannot be checked for changes, ISO 8601; undefined for every other group. */
  staleSince(groupId: string): string | undefined;
  /** Flow B by an operator; throws the Refusal of the precondition or answer that failed. */
  pull(groupId: string, actor: string): Promise<PullOutcome>;
  /**
   * Flow B by an operator for every group of a partner that is known here (held, or asked for in vain) and matches a pattern. Resolves
   * when it has begun; joins a pull of this partner that runs. Throws `partner-unknown`.
   */
  pullAll(partner: string, pattern: string, actor: string): Promise<PullProgress>;
  /** The pull of a partner that runs or ran last; undefined when there was none since the start. */
  pullProgress(partner: string): PullProgress | undefined;
  /**
   * Compares all groups of a partner and of ours at it that match a pattern, group by group, at the partner's CSC-16 face; with `repair`,
   * deliveries and requests bring them in line. Joins a comparison of this partner that runs. Throws `partner-unknown`,
   * `partner-not-addressed`.
   */
  reconcile(
    partner: string,
    order: { readonly pattern: string; readonly repair: boolean },
    actor: string,
  ): Reconciliation;
  /**
   * Tries TLS, identity, GET, SUBSCRIBE with its NOTIFY, and PUT and DELETE of a canary against the live partner. Joins a test of this
   * partner that runs. Throws `partner-unknown`.
   */
  testPartner(partner: string, actor: string): Promise<PartnerTest>;
  /** The comparison with a partner that runs or ran last; undefined when there was none since the start. */
  reconciliation(partner: string): Reconciliation | undefined;
  /**
   * Removes all that is kept of a partner that is configured no more: its groups, whose subscribers are told, and deliveries to it. Resolves
   * with the numbers of both. Throws `not-found` when nothing is kept, `forbidden` while the partner is configured.
   */
  forgetPartner(partner: string, actor: string): Promise<{ readonly groups: number; readonly deliveries: number }>;
  /** Serves a foreign group that waited for an operator (`accept: manual`). Throws `not-found` when nothing of it waits. */
  release(groupId: string, actor: string): Promise<PullOutcome>;
  /** Flow A by an operator: queues a delivery of one of our groups to a partner now. Throws the Refusal of the failed precondition. */
  push(partner: string, groupId: string, actor: string): Promise<DeliveryRecord>;
  /** Lets a parked or waiting delivery be tried at once. */
  retryDelivery(partner: string, groupId: string, actor: string): Promise<void>;
  dropDelivery(partner: string, groupId: string, actor: string): Promise<void>;
  /**
   * Lets go what the brake holds for a partner, or of it one group: withdrawals are sent, and copies of groups that their home gives no
   * more are removed when it is asked next. Resolves with the number of withdrawals released. Throws `not-found` for one that is not held.
   */
  releaseBrake(partner: string, groupId: string | undefined, actor: string): Promise<number>;
  /** How far the deliveries to each configured partner are. */
  deliveryProgress(): Promise<readonly DeliveryProgress[]>;
}

/** What a watch tells. Callbacks come in order for each partner, never from within `watch`; they must not throw. */
export interface PartnerWatchListener {
  /**
   * The partner told of a group that is watched: `tag` is its entity tag at the partner now, undefined when the group is gone or may
   * no longer be read there. After each (re)subscription every watched group that exists is told once more, changed or not; one that
   * was told before and is missing then is told as gone.
   */
  changed(partner: string, groupId: string, tag: string | undefined): void;
  /**
   * `up`: all groups watched at this partner are subscribed, changes will be told. `down`: at least one is not, because the partner
   * refused, does not answer or has no SIP address; changes must be looked for by other means until `up`. Told on change only.
   */
  state(partner: string, state: 'up' | 'down'): void;
}

/** Staying current with groups homed at partner systems by subscription, TS 24.481 clause 6.3.13. Implemented over SIP. */
export interface PartnerWatch {
  /**
   * Replaces the set of groups watched at a partner; canonical group IDs. An empty set ends what is subscribed there. Returns at
   * once: what comes of it is told to the listener. Never throws.
   */
  watch(partner: string, groups: readonly string[]): void;
  /** Tries a subscription to one group at a partner, once, and ends it. Never rejects. */
  probe(partner: string, groupId: string): Promise<WatchProbe>;
  /** Ends every subscription; resolves when the partners were told, or after a short patience. Nothing is told to the listener after. */
  close(): Promise<void>;
}
