// What the management API works on: the rooms below, and what the composition root knows.
import type { PartnerConfiguration } from '../config/schema.ts';
import type { Documents } from '../documents/documents.ts';
import type { AdministratorPrincipal } from '../identity/principal.ts';
import type { OwnFacing } from '../interconnect/ports.ts';
import type { Store, SubscriptionRecord } from '../store/store.ts';

/** What may be told about a subscription, whose state only the SIP face can read. */
export interface SubscriptionFacts {
  readonly subscriber?: string | undefined;
  readonly resources?: readonly string[] | undefined;
}

export interface ManagementContext {
  readonly store: Store;
  readonly documents: Documents;
  readonly own: OwnFacing;
  /** Partners as configured now. */
  readonly partners: () => readonly PartnerConfiguration[];
  /** XUI (canonical) below which groups without a place of their own are created. */
  readonly groupCreationXui: () => string | undefined;
  /** True when the group ID (canonical) is homed here. */
  readonly isHomed: (groupId: string) => boolean;
  readonly describeSubscription: (record: SubscriptionRecord) => SubscriptionFacts;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Who acts through this API, in rights and in the journal. */
export const operator: AdministratorPrincipal = { role: 'administrator', identity: 'operator' };
