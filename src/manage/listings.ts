// What the management API tells about groups, partners, deliveries and subscriptions: the shapes of its JSON.
import type { OverlayEdit } from '../documents/overlay.ts';
import type { RefusedDerivation, RuleTrace } from '../documents/provenance.ts';
import type { DeliveryProgress } from '../interconnect/ports.ts';
import type { DeliveryRecord, SourceRecord } from '../store/store.ts';

export interface ListedGroup {
  readonly groupId: string;
  /** True when the group is defined in this system. */
  readonly home: boolean;
  /** Partner that is the home of a foreign group. */
  readonly partner?: string | undefined;
  /** Tag under which our own faces serve it. */
  readonly tag: string;
  /** Bytes of the served document. */
  readonly size: number;
  /** ISO 8601, UTC. */
  readonly modified: string;
  /** Foreign groups: tag of the document as it came, on our CSC-16 face. */
  readonly sourceTag?: string | undefined;
  /** Foreign groups: tag that the primary gave it. */
  readonly primaryTag?: string | undefined;
  readonly policy?: string | undefined;
  readonly policyVersion?: number | undefined;
  readonly appliedRules?: readonly string[] | undefined;
  readonly staleSince?: string | undefined;
  /** Newer content waits for an operator's release since then; `sourceTag` is its tag. */
  readonly heldSince?: string | undefined;
}

/** What a user profile says about a group of another system: TS 23.280 clause 10.2.7, the address of the own GMS. */
export interface ProfileEntry {
  readonly groupId: string;
  readonly partner: string;
  /** PSI of the GMS to subscribe at. */
  readonly gms: string;
  readonly xcapRoot: string;
}

/** A foreign group of which content waits for an operator's release. */
export interface HeldGroup {
  readonly groupId: string;
  readonly partner: string;
  /** Tag of the content that waits. */
  readonly sourceTag: string;
  /** Tag of what is served meanwhile; absent = nothing is. */
  readonly servedTag?: string | undefined;
  readonly policy: string;
  readonly policyVersion: number;
  /** ISO 8601, UTC. */
  readonly heldSince: string;
}

export interface ListedPartner {
  readonly name: string;
  readonly domains: readonly string[];
  readonly gms: string;
  readonly xcapRoots: readonly string[];
  /** State as configured. */
  readonly state: string;
  /** True when the agreement is active and its time has come and not gone. */
  readonly active: boolean;
  /** Foreign groups of this partner that are stored here. */
  readonly groupsHeld: number;
  /** Of these, how many are marked stale. */
  readonly groupsStale: number;
  /** Of these, how many have content that waits for a release. */
  readonly groupsHeldBack: number;
  /** Of a partner that is not configured: the configured partners that are the home of its groups by their domains. */
  readonly homes?: readonly string[] | undefined;
  readonly deliveries: Omit<DeliveryProgress, 'partner'>;
}

export type ListedDelivery = DeliveryRecord;

export interface ListedSubscription {
  readonly id: string;
  /** Identity of the subscriber. */
  readonly subscriber: string;
  readonly role: string;
  /** Entries of the resource list, as subscribed. */
  readonly resources: readonly string[];
  /** ISO 8601, UTC. */
  readonly expires: string;
  /** Number of resources whose state the subscriber was told. */
  readonly told: number;
  /** A NOTIFY waits for its answer. */
  readonly outstanding: boolean;
}

/** A foreign group whose source the policy of now does not accept; what is served is older. */
export interface RefusedGroup extends RefusedDerivation {
  readonly groupId: string;
  readonly partner: string;
}

/** One local edit of a foreign group. */
export type ShownEdit = Omit<OverlayEdit, 'operations'> & {
  readonly operations: readonly (Omit<OverlayEdit['operations'][number], 'namespaces'> & {
    readonly namespaces: Readonly<Record<string, string>>;
  })[];
};

/** The local edits of one foreign group, counted. */
export interface ListedOverlay {
  readonly groupId: string;
  readonly edits: number;
  /** Of these, edits that do not apply now. */
  readonly conflicting: number;
  /** Absent = the group is not here. */
  readonly servedTag?: string | undefined;
}

/** Subscribers that were told of a state of a group. */
export interface Notified {
  /** ISO 8601. */
  readonly at: string;
  readonly tag?: string | undefined;
  readonly subscribers: readonly string[];
}

/** Where a served foreign document comes from. */
export interface Provenance {
  readonly groupId: string;
  readonly source: Pick<
    SourceRecord,
    'partner' | 'tag' | 'primaryTag' | 'received' | 'sent' | 'staleSince' | 'heldSince'
  > & { readonly size: number };
  readonly policy: { readonly name: string; readonly version: number; readonly digest?: string | undefined };
  /** When the policy ran last on the source, ISO 8601; absent for what was stored by an older release. */
  readonly derivedAt?: string | undefined;
  /** Tag of what the policy made, before local edits. */
  readonly derivedTag?: string | undefined;
  /** Each rule that changed something, with what stood there before and after. */
  readonly rules: readonly RuleTrace[];
  /** A newer policy that does not accept the source: what is served is older. */
  readonly refused?: RefusedDerivation | undefined;
  readonly overlay: readonly ShownEdit[];
  /** Absent = nothing is served. */
  readonly served?: { readonly tag: string; readonly modified: string; readonly size: number } | undefined;
  /** Newest first. */
  readonly notified: readonly Notified[];
}
