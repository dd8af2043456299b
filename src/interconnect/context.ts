// What the modules of this room share: the store and documents below, time, and the settings of now.
import type { Documents } from '../documents/documents.ts';
import type { KeyedQueue } from '../documents/keyed-queue.ts';
import type { Store } from '../store/store.ts';
import type { Brake } from './brake.ts';
import type { Clock } from './clock.ts';
import type { Derivations } from './derivations.ts';
import type { InterconnectionSettings, Partners } from './partners.ts';
import type { Places } from './places.ts';
import type { PartnerGms } from './ports.ts';
import type { RefusalJournal } from './refusal-journal.ts';
import type { Staleness } from './staleness.ts';

/** Settings of now; read at every use, since a reload replaces them. */
export interface CurrentSettings {
  readonly settings: InterconnectionSettings;
  readonly partners: Partners;
}

/** What is kept of a partner that is not configured. */
export interface Orphaned {
  readonly partner: string;
  /** Foreign groups stored here. */
  readonly groups: number;
  /** Of our groups, those that the partner has or waits for. */
  readonly deliveries: number;
  /** Configured partners that are the home of these groups by their domains: the partner was renamed, or another took its place. */
  readonly homes: readonly string[];
}

export interface InterconnectionContext {
  readonly documents: Documents;
  readonly store: Store;
  readonly gms: PartnerGms;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly current: () => CurrentSettings;
  readonly brake: Brake;
  readonly staleness: Staleness;
  /** Where partners have our groups. */
  readonly places: Places;
  readonly derivations: Derivations;
  /** Where refusals towards partners are noted. */
  readonly refusals: RefusalJournal;
  /** Derivations and stores of one foreign group follow each other, so that an older one never overtakes a newer one. */
  readonly foreignWrites: KeyedQueue;
  /** Hears, at each start and reload, what is kept of partners that are not configured. */
  readonly onOrphaned?: ((orphaned: Orphaned) => void) | undefined;
  /** Hears of faults of our own in work that nobody waits for. */
  readonly onFault: (fault: unknown) => void;
}
