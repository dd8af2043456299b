// What a peer is told when the threads that judge documents cannot do it.

import { Refusal } from '../refusals.ts';
import { JobOverBudget, PoolBusy } from './worker-pool.ts';

/** The refusal for what a worker pool rejects with; undefined for a fault of our own. */
export function refusalOfPool(error: unknown): Refusal | undefined {
  if (error instanceof PoolBusy) return new Refusal('unavailable', { retryAfter: 1, cause: error.message });
  if (!(error instanceof JobOverBudget)) return undefined;
  return new Refusal('constraint-failure', { phrase: 'Judging the document takes too long', cause: error.message });
}
