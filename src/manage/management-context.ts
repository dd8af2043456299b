// What the management API works on: the rooms below, and what the composition root knows.
import type { PartnerConfiguration } from '../config/schema.ts';
import type { Documents } from '../documents/documents.ts';
import type { LocalEdits } from '../interconnect/local-edits.ts';
import type { PolicyVersions } from '../interconnect/policy-versions.ts';
import type { OwnFacing } from '../interconnect/ports.ts';
import type { Store } from '../store/store.ts';
import type { ListedSubscription } from './listings.ts';

export interface ManagementContext {
  readonly store: Store;
  readonly documents: Documents;
  readonly own: OwnFacing;
  readonly policies: PolicyVersions;
  readonly localEdits: LocalEdits;
  /** What own clients are told to read groups from: the PSI of this GMS and the XCAP root as they see it. */
  readonly ownAddress: { readonly gms: string; readonly xcapRoot: string };
  /** Partners as configured now. */
  readonly partners: () => readonly PartnerConfiguration[];
  /** XUI (canonical) below which groups without a place of their own are created. */
  readonly groupCreationXui: () => string | undefined;
  /** True when the group ID (canonical) is homed here. */
  readonly isHomed: (groupId: string) => boolean;
  /** Subscriptions of others to us. */
  readonly subscriptions: () => readonly ListedSubscription[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
}
