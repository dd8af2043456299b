// How far deliveries to a partner are: what the store counts, and what its outbox is doing.
import type { DeliveryCount, DeliveryState } from '../store/store.ts';
import type { OutboxStatus } from './outbox.ts';
import type { DeliveryProgress } from './ports.ts';

/** The progress of one partner from the counts of all and the status of its outbox. */
export function progressOf(
  partner: string,
  counts: readonly DeliveryCount[],
  { circuit, until, inFlight }: OutboxStatus,
): DeliveryProgress {
  const own = counts.filter((one) => one.partner === partner);
  const inState = (state: DeliveryState): number =>
    own.filter((one) => one.state === state).reduce((sum, { count }) => sum + count, 0);
  const open = own.filter(({ state }) => state === 'queued' || state === 'braked').map(({ oldest }) => oldest);
  const [oldest] = open.sort();
  return {
    partner,
    // A delivery stays queued in the store until its outcome is recorded.
    queued: Math.max(0, inState('queued') - inFlight),
    inFlight,
    delivered: inState('delivered'),
    parked: inState('parked'),
    braked: inState('braked'),
    ...(oldest === undefined ? {} : { oldest }),
    circuit,
    ...(until === undefined ? {} : { until }),
  };
}
