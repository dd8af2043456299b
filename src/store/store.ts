// The store as the rest of the gateway sees it: asynchronous, engine-neutral, every write one atomic Commit.
// A Commit is data, not a callback, so that an engine can batch many of them into one durable transaction.

import type { ChainedEntry, ChainLink } from './journal-chain.ts';

/** Where a document lives: AUID, tree, XUI (empty in `global`) and the path below it. */
export interface DocumentKey {
  readonly auid: string;
  readonly tree: 'users' | 'global';
  /** Canonical XUI; empty for `global`. */
  readonly xui: string;
  /** Document name with any sub-directories, segments decoded and joined with `/`. */
  readonly name: string;
}

export interface StoredDocument {
  readonly key: DocumentKey;
  /** Strong entity tag, without quotes. */
  readonly tag: string;
  readonly bytes: Uint8Array;
  /** Canonical MC service group ID when this is a group document with exactly one list-service. */
  readonly groupId?: string | undefined;
  /** ISO 8601, UTC. */
  readonly modified: string;
}

/** A document without its bytes, for listings. */
export type DocumentSummary = Omit<StoredDocument, 'bytes'> & { readonly size: number };

/** What a partner gave us for a foreign group, kept as received beside the served document. */
export interface SourceRecord {
  readonly groupId: string;
  readonly partner: string;
  readonly bytes: Uint8Array;
  /** Tag of the source bytes on our own CSC-16 face. */
  readonly tag: string;
  /** Tag the primary gave them on its face, when it was fetched there. */
  readonly primaryTag?: string | undefined;
  /** Name and version of the policy that made the served document. */
  readonly policy: string;
  readonly policyVersion: number;
  /** Names of the rules that changed something, in order. */
  readonly appliedRules: readonly string[];
  readonly received: string;
  /** Set while the primary cannot be asked whether the copy is current: ISO 8601 since when. */
  readonly staleSince?: string | undefined;
  /** Set while an operator has not released these bytes: ISO 8601 since when. What is served, if anything, is older. */
  readonly heldSince?: string | undefined;
  /** When the primary sent them, by its own clock: ISO 8601. */
  readonly sent?: string | undefined;
  /** With `heldSince`: the older bytes that what is served was made of; absent = nothing was released yet. */
  readonly released?: Uint8Array | undefined;
}

/** A source as it is listed. */
export type SourceSummary = Omit<SourceRecord, 'bytes' | 'released'>;

/** Where a source stands, without what it says: cheap to read for all of them. */
export type SourceState = Pick<SourceRecord, 'groupId' | 'partner' | 'received' | 'staleSince' | 'heldSince'>;

/** A small fact that a room keeps for itself under a name; without `value` it is forgotten. */
export interface MemoWrite {
  readonly name: string;
  readonly value?: string | undefined;
}

/** What a room keeps under a kind and a name: text that only it reads. One row for each name. */
export interface KeptRecord {
  readonly name: string;
  readonly value: string;
}

/** Without `value` it is forgotten. `expected`: null = must not exist, a text = must be current, undefined = whatever is there. */
export interface RecordWrite {
  readonly kind: string;
  readonly name: string;
  readonly value?: string | undefined;
  readonly expected?: string | null | undefined;
  /** Names persons: what it replaces shall not stay readable on free pages of the file, where the store can see to that. */
  readonly personal?: boolean | undefined;
}

export type DeliveryState = 'queued' | 'delivered' | 'parked' | 'braked';

/** One entry of the outbox: what a partner must learn about one of our groups. One row per (partner, group), newest wins. */
export interface DeliveryRecord {
  readonly partner: string;
  readonly groupId: string;
  readonly action: 'provide' | 'withdraw';
  /** `braked`: waits until an operator releases it. */
  readonly state: DeliveryState;
  /** Sequence of the commit that queued it; grows with each newer content. */
  readonly sequence: number;
  readonly attempts: number;
  /** ISO 8601; not before this. */
  readonly notBefore?: string | undefined;
  /** Tag the partner's last success answered for what it holds from us. */
  readonly partnerTag?: string | undefined;
  /** Outcome of the last attempt at this content, for the operator; absent = none was made. */
  readonly outcome?: string | undefined;
  /** When it was queued, ISO 8601. */
  readonly queued: string;
  /** Sent before what is not. */
  readonly urgent?: boolean | undefined;
}

/** A delivery to queue inside a commit; `sequence`, `state` and `attempts` are the store's. */
export interface DeliveryRequest {
  readonly partner: string;
  readonly groupId: string;
  readonly action: 'provide' | 'withdraw';
  /** Why it waits for an operator; absent = it is sent when its turn comes. */
  readonly braked?: string | undefined;
  /** It overtakes what is not; absent = no. */
  readonly urgent?: boolean | undefined;
}

/** How many deliveries of a partner have this action and state. */
export interface DeliveryCount {
  readonly partner: string;
  readonly action: DeliveryRecord['action'];
  readonly state: DeliveryState;
  readonly count: number;
  /** When the oldest of them was queued, ISO 8601. */
  readonly oldest: string;
}

/** A subscription of somebody to us, opaque to the store but for its expiry. */
export interface SubscriptionRecord {
  readonly id: string;
  /** Seconds since 1970. */
  readonly expires: number;
  /** JSON, owned by the SIP face. */
  readonly state: string;
}

export interface JournalEntry {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Who: identity of the acting principal, or `system`. */
  readonly actor: string;
  /** What: `document-put`, `document-delete`, `provision-accepted`, `provision-refused`, `delivery-succeeded`, … */
  readonly action: string;
  /** Whereon: group ID or document path. */
  readonly subject: string;
  /** The true cause of a refusal, or other detail, as flat text values. */
  readonly detail?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface JournalRecord extends JournalEntry {
  readonly sequence: number;
}

/** Which journal entries are of no more use. */
export interface JournalPruning {
  /** ISO 8601; entries of earlier instants. */
  readonly before: string;
  /** All but the newest so many. */
  readonly rows: number;
  /** At most so many are looked at, oldest first. */
  readonly limit: number;
}

/** The ends of the journal's chain. */
export interface JournalEnds {
  /** The last entry that retention removed; sequence 0 before that. */
  readonly base: ChainLink;
  readonly head: ChainLink;
}

export interface JournalErasure {
  /** Texts that name the person. Where one stands in an actor, subject or detail, that whole text goes. */
  readonly texts: readonly string[];
  /** Only entries behind this sequence, at most so many of them. */
  readonly after: number;
  readonly limit: number;
}

export interface JournalErased {
  /** Sequence of the last entry looked at; undefined when there was none. */
  readonly last: number | undefined;
  /** Entries that lost a text. */
  readonly erased: number;
}

/** `expected`: null = must not exist, a tag = must be current, undefined = whatever is there. */
export type DocumentWrite =
  | {
      readonly write: 'put';
      readonly document: Omit<StoredDocument, 'modified'>;
      readonly expected?: string | null | undefined;
    }
  | { readonly write: 'delete'; readonly key: DocumentKey; readonly expected?: string | null | undefined };

export type SourceWrite =
  | { readonly write: 'put'; readonly source: SourceRecord; readonly expected?: string | null | undefined }
  | { readonly write: 'delete'; readonly groupId: string; readonly expected?: string | null | undefined };

/** The outcome of a delivery attempt; applied only while the row still has `sequence`, so that newer content is never marked done. */
export type DeliveryWrite =
  | { readonly write: 'queue'; readonly delivery: DeliveryRequest }
  | {
      readonly write: 'settle';
      readonly partner: string;
      readonly groupId: string;
      readonly sequence: number;
      readonly state: DeliveryState;
      readonly attempts: number;
      readonly notBefore?: string | undefined;
      readonly partnerTag?: string | undefined;
      readonly outcome?: string | undefined;
    }
  | { readonly write: 'drop'; readonly partner: string; readonly groupId: string };

export type SubscriptionWrite =
  | { readonly write: 'put'; readonly subscription: SubscriptionRecord }
  | { readonly write: 'delete'; readonly id: string };

/** Everything that becomes durable together, or not at all. */
export interface Commit {
  readonly documents?: readonly DocumentWrite[];
  readonly sources?: readonly SourceWrite[];
  readonly deliveries?: readonly DeliveryWrite[];
  readonly subscriptions?: readonly SubscriptionWrite[];
  readonly memos?: readonly MemoWrite[];
  readonly records?: readonly RecordWrite[];
  readonly journal?: readonly JournalEntry[];
}

/**
 * `committed`: `at` (ISO 8601, UTC) is the `modified` of the documents put.
 * `conflict`: an expectation did not hold, nothing was written.
 * `taken`: another document already has this group ID, nothing was written.
 */
export type CommitOutcome =
  | { readonly outcome: 'committed'; readonly sequence: number; readonly at: string }
  | { readonly outcome: 'conflict' }
  | { readonly outcome: 'taken'; readonly groupId: string };

/** Listing filter: all given fields must match; `after` continues a paged listing. Results are in key order. */
export interface DocumentFilter {
  readonly auid?: string;
  readonly tree?: 'users' | 'global';
  readonly xui?: string;
  /** Prefix of `name`. */
  readonly namePrefix?: string;
  /** Only documents with a group ID, or only those without. */
  readonly groups?: boolean;
  readonly after?: DocumentKey;
  readonly limit?: number;
}

export interface Store {
  document(key: DocumentKey): Promise<StoredDocument | undefined>;
  /** The document that has this canonical group ID, wherever it lives. */
  groupDocument(groupId: string): Promise<StoredDocument | undefined>;
  documents(filter: DocumentFilter): Promise<readonly DocumentSummary[]>;
  source(groupId: string): Promise<SourceRecord | undefined>;
  /** Without bytes; by partner when given. */
  sources(partner?: string): Promise<readonly SourceSummary[]>;
  /** By partner when given, otherwise ordered by partner; then by group ID. */
  sourceStates(partner?: string): Promise<readonly SourceState[]>;
  delivery(partner: string, groupId: string): Promise<DeliveryRecord | undefined>;
  deliveries(filter?: {
    readonly partner?: string;
    readonly state?: DeliveryRecord['state'];
  }): Promise<readonly DeliveryRecord[]>;
  /** Of all partners, or of one; without zeros. */
  deliveryCounts(partner?: string): Promise<readonly DeliveryCount[]>;
  /** Queued deliveries whose time has come: urgent ones first, then oldest sequence first. */
  dueDeliveries(partner: string, now: string, limit: number): Promise<readonly DeliveryRecord[]>;
  /** Queued deliveries, those first whose time comes first; `notBefore` absent = it has come. */
  waitingDeliveries(partner: string, limit: number): Promise<readonly DeliveryRecord[]>;
  record(kind: string, name: string): Promise<string | undefined>;
  /** Records of a kind in the order of their names (bytes of the UTF-8 text), those behind `after` first. */
  records(kind: string, filter?: { readonly after?: string; readonly limit?: number }): Promise<readonly KeptRecord[]>;
  /** What is kept under a name. */
  memo(name: string): Promise<string | undefined>;
  subscriptions(): Promise<readonly SubscriptionRecord[]>;
  journal(filter?: {
    readonly after?: number;
    readonly subject?: string;
    readonly limit?: number;
  }): Promise<readonly JournalRecord[]>;
  /** Entries as they are stored, with what their hashes are made of, in order. */
  journalChain(after: number, limit: number): Promise<readonly ChainedEntry[]>;
  /** Where the chain of the journal begins and ends; `base` is the last entry that was removed. */
  journalEnds(): Promise<JournalEnds>;
  /** Takes from some entries the texts that name a person; what is overwritten is gone from the disk too. */
  eraseJournal(erasure: JournalErasure): Promise<JournalErased>;
  /** Removes the oldest entries of the journal that are of no more use; resolves with their number. Their sequences never come back. */
  pruneJournal(pruning: JournalPruning): Promise<number>;
  /** Applies all writes durably and atomically; resolves only after they are on disk. Concurrent commits share one fsync. */
  commit(commit: Commit): Promise<CommitOutcome>;
  close(): Promise<void>;
}
