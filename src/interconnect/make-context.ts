// Makes what the modules of this room share, from what the composition root gives.
import type { Documents } from '../documents/documents.ts';
import { KeyedQueue } from '../documents/keyed-queue.ts';
import type { Store } from '../store/store.ts';
import { Brake, type BrakeHeld } from './brake.ts';
import { type Clock, systemClock } from './clock.ts';
import type { CurrentSettings, InterconnectionContext, Orphaned } from './context.ts';
import { Derivations } from './derivations.ts';
import type { DeliveryAttempt } from './outbox.ts';
import type { InterconnectionSettings } from './partners.ts';
import { Places } from './places.ts';
import type { PartnerGms } from './ports.ts';
import { RefusalJournal } from './refusal-journal.ts';
import type { PartnerAsked } from './request.ts';
import { Staleness } from './staleness.ts';

export interface InterconnectionOptions {
  readonly documents: Documents;
  readonly store: Store;
  readonly gms: PartnerGms;
  readonly settings: InterconnectionSettings;
  readonly clock?: Clock | undefined;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
  /** Hears of every delivery attempt that reached out to a partner, for metrics. */
  readonly onAttempt?: ((attempt: DeliveryAttempt) => void) | undefined;
  /** Hears of every request for a group that reached out to a partner, for metrics. */
  readonly onAsked?: ((asked: PartnerAsked) => void) | undefined;
  /** Hears of everything that a partner was refused, by stable code or cause, for metrics. */
  readonly onRefused?: ((partner: string, code: string) => void) | undefined;
  /** Hears that the brake begins to hold what would take away too much; somebody has to look at it. */
  readonly onBraked?: ((held: BrakeHeld) => void) | undefined;
  /** Hears, at each start and reload, what is kept of partners that are not configured; somebody has to look at it. */
  readonly onOrphaned?: ((orphaned: Orphaned) => void) | undefined;
  /** Hears of faults of our own in work that nobody waits for; never of what partners do. */
  readonly onFault: (fault: unknown) => void;
}

/** The context of one gateway; `current` tells the settings of now. */
export function interconnectionContext(
  {
    documents,
    store,
    gms,
    random,
    onRefused,
    onBraked,
    onOrphaned,
    onFault,
    clock = systemClock,
  }: InterconnectionOptions,
  current: () => CurrentSettings,
): InterconnectionContext {
  const memory = {
    load: (name: string) => store.memo(name),
    save: async (name: string, value: string): Promise<void> => {
      await store.commit({ memos: [{ name, value }] });
    },
  };
  return {
    documents,
    store,
    gms,
    clock,
    random: random ?? Math.random,
    current,
    brake: new Brake(
      () => current().settings.interconnect.brake,
      () => clock.now(),
      memory,
      onBraked,
    ),
    refusals: new RefusalJournal({ store, clock, onRefused, onFault }),
    staleness: new Staleness({ documents, store, clock }),
    places: new Places(store),
    derivations: new Derivations(),
    foreignWrites: new KeyedQueue(),
    onOrphaned,
    onFault,
  };
}
