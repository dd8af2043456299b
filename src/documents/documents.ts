// What the document service offers to the rooms above it, and what it tells and asks them.
// DocumentService implements this; it is the only write path to documents.
import type { Principal } from '../identity/principal.ts';
import type {
  DeliveryRequest,
  DocumentFilter,
  DocumentKey,
  DocumentSummary,
  JournalEntry,
  SourceRecord,
} from '../store/store.ts';
import type { GroupFacts } from '../xml/group-document.ts';
import type { ParsedSelector, SelectorContext } from '../xml/node-selector.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import type { ApplicationUsage } from './application-usage.ts';
import type { Overlay, OverlayChange } from './overlay.ts';
import type { DerivationTrace } from './provenance.ts';

/** A document as served: its bytes, tag and offset index, shared by all readers; never mutate them. */
export interface ServedDocument {
  readonly key: DocumentKey;
  /** Strong entity tag, without quotes. */
  readonly tag: string;
  readonly bytes: Uint8Array;
  readonly groupId?: string | undefined;
  readonly modified: string;
  /** Built on first use, then cached with the document. */
  readonly index: OffsetIndex;
  /** Set on a copy of a foreign group that cannot be checked for changes at its home now: ISO 8601 since when. */
  readonly staleSince?: string | undefined;
  /** Typed facts of a group document; undefined for other usages. */
  readonly group?: GroupFacts | undefined;
}

/** Entity tags without quotes, or `*`. RFC 9110 clause 13.1. */
export type EntityTagList = '*' | readonly string[];

export interface Preconditions {
  readonly ifMatch?: EntityTagList | undefined;
  readonly ifNoneMatch?: EntityTagList | undefined;
}

export interface PutOutcome {
  readonly created: boolean;
  /** False when the stored bytes were already these: same tag, no NOTIFY, no delivery. */
  readonly changed: boolean;
  readonly tag: string;
}

/** What storing a foreign group did; see Documents.putForeign. */
export interface ForeignPutOutcome extends PutOutcome {
  readonly servedTag?: string | undefined;
}

/** A node of a document as a request names it: the grammar of the selector is right, its prefixes are not looked at yet. */
export interface NodeAddress {
  readonly selector: ParsedSelector;
  /** Prefixes that the request binds. */
  readonly bindings: SelectorContext['bindings'];
}

/** A foreign group as it arrived and as policy made it; both become durable in one commit. */
export interface ForeignGroup {
  readonly groupId: string;
  readonly partner: string;
  readonly source: Uint8Array;
  readonly primaryTag?: string | undefined;
  /** Absent = these bytes wait for an operator's release; what is served stays as it is. */
  readonly served?: Uint8Array | undefined;
  /** `served` was made of these older bytes, while those of `source`, held already, go on waiting for their release. */
  readonly released?: Uint8Array | undefined;
  /** When the primary sent the source, by its own clock: ISO 8601. */
  readonly sent?: string | undefined;
  readonly policy: string;
  readonly policyVersion: number;
  readonly appliedRules: readonly string[];
  /** What the policy did, for the provenance of the group. */
  readonly derivation?: DerivationTrace | undefined;
  /** Changes the local edits before they are replayed on `served`. */
  readonly overlay?: OverlayChange | undefined;
  /** Acting identity for the journal. */
  readonly actor: string;
  readonly journal?: readonly JournalEntry[] | undefined;
}

export interface DocumentChange {
  readonly key: DocumentKey;
  readonly groupId?: string | undefined;
  /** Absent = did not exist before. */
  readonly previousTag?: string | undefined;
  /** Absent = deleted. */
  readonly tag?: string | undefined;
  /** What is stored now; later commits do not change it. Absent = deleted. */
  readonly document?: ServedDocument | undefined;
  /** Set when the document has taken another group ID: the group of this ID is gone. */
  readonly previousGroupId?: string | undefined;
}

/** Emitted after the commit, in commit order; never for writes that changed nothing. */
export interface ChangeEvent {
  readonly sequence: number;
  readonly changes: readonly DocumentChange[];
}

/** A write about to be committed, for the room that knows which partners it concerns. */
export interface PendingGroupChange {
  readonly groupId: string;
  readonly before?: GroupFacts | undefined;
  /** Absent = the group is being deleted. */
  readonly after?: GroupFacts | undefined;
}

/** Names the deliveries that a change of a home group causes; they are committed with it. */
export type DeliveriesOf = (change: PendingGroupChange) => Promise<readonly DeliveryRequest[]>;

export interface Documents {
  /** Undefined for an AUID that is not served. */
  usage(auid: string): ApplicationUsage | undefined;
  readonly usages: readonly ApplicationUsage[];
  /** Without checking rights; undefined when there is none. */
  find(key: DocumentKey): Promise<ServedDocument | undefined>;
  /** The document with this canonical group ID, home or foreign. */
  findGroup(groupId: string): Promise<ServedDocument | undefined>;
  list(filter: DocumentFilter): Promise<readonly DocumentSummary[]>;
  /** The kept source of a foreign group. */
  findSource(groupId: string): Promise<SourceRecord | undefined>;
  /**
   * The document as this principal may see it on our own faces, or a Refusal (`forbidden`, `not-found`).
   * A view that differs from the stored bytes has a tag of its own.
   */
  view(principal: Principal, document: ServedDocument): ServedDocument;
  /**
   * The document under a key as this principal may see it. Throws Refusal `forbidden`, or `not-found`. Rights come before existence
   * (RFC 4825 clause 8): for who may not look there, both are `forbidden`.
   */
  read(principal: Principal, key: DocumentKey): Promise<ServedDocument>;
  /**
   * Creates or replaces a whole document in the users tree. A `body` that still has to come is asked for once the caller's rights, the
   * parent and the preconditions have been found right, and what it throws is passed on. Throws the Refusal of every broken rule;
   * nothing is stored then.
   */
  put(
    principal: Principal,
    key: DocumentKey,
    body: Uint8Array | (() => Promise<Uint8Array>),
    preconditions: Preconditions,
  ): Promise<PutOutcome>;
  delete(principal: Principal, key: DocumentKey, preconditions: Preconditions): Promise<void>;
  /**
   * Creates or replaces an element or attribute of a document in the users tree (RFC 4825 clauses 7.4 and 7.7). `body` is asked for once
   * the caller's rights, the prefixes, the parent and the preconditions have been found right, and what it throws is passed on.
   * Preconditions compare the tag of the whole document, also for a node that is not there yet (clause 8.2.6); `tag` of the outcome is
   * that of the whole document. Throws the Refusal of every broken rule; of `no-parent`, `ancestor` is relative to the XCAP root.
   */
  putNode(
    principal: Principal,
    key: DocumentKey,
    node: NodeAddress,
    body: () => Promise<Uint8Array>,
    preconditions: Preconditions,
  ): Promise<PutOutcome>;
  /** Deletes an element or attribute (RFC 4825 clauses 7.5 and 7.8) and resolves with the tag of the document that remains. */
  deleteNode(principal: Principal, key: DocumentKey, node: NodeAddress, preconditions: Preconditions): Promise<string>;
  /**
   * Stores or replaces a foreign group: source, served document and journal together. The group's local edits are replayed on `served`. `preconditions` compare the source's tag.
   * `tag` of the outcome is the source's, `changed` tells whether the served document changed. `servedTag` is absent while nothing is served.
   */
  putForeign(group: ForeignGroup, preconditions: Preconditions): Promise<ForeignPutOutcome>;
  /** Removes a foreign group and its source. Throws `not-found`, `precondition-failed`. */
  deleteForeign(groupId: string, actor: string, preconditions: Preconditions): Promise<void>;
  /** Marks (ISO 8601) or unmarks (undefined) the kept copy of a foreign group as stale. */
  markStale(groupId: string, since: string | undefined): Promise<void>;
  /** The local edits of a foreign group; none when nobody made any. */
  overlay(groupId: string): Promise<Overlay>;
  /** What storing `derived` for a foreign group would serve: its tag with the local edits, and how many of those would not apply. */
  previewForeign(groupId: string, derived: Uint8Array): Promise<{ readonly tag: string; readonly conflicts: number }>;
  /** Changes local edits while nothing of the group is here to derive them on. */
  changeOverlay(groupId: string, change: OverlayChange, actor: string): Promise<void>;
  /** Checks group bytes as `put` would (well-formed, schema, constraints, group ID), without storing. Throws the Refusal. */
  checkGroup(groupId: string, bytes: Uint8Array): Promise<GroupFacts>;
  /** Calls `listener` after every commit that changed documents; returns how to stop. */
  onChange(listener: (event: ChangeEvent) => void): () => void;
  /** Set once by the composition root. */
  causeDeliveries(deliveriesOf: DeliveriesOf): void;
}
