// Journal entries of interconnection: what happened to which group, with the true cause that a peer may not hear.
import { Refusal } from '../refusals.ts';
import type { JournalEntry } from '../store/store.ts';
import { type Clock, isoTime } from './clock.ts';

export type InterconnectionAction =
  | 'provision-accepted'
  | 'provision-refused'
  | 'withdrawal-refused'
  | 'request-refused'
  | 'traffic-refused'
  | 'refusals-counted'
  | 'group-fetched'
  | 'fetch-failed'
  | 'group-removed'
  | 'group-released'
  | 'overlay-changed'
  | 'policy-activated'
  | 'policy-rolled-back'
  | 'derivation-renewed'
  | 'derivation-refused'
  | 'delivery-queued'
  | 'delivery-retried'
  | 'delivery-dropped'
  | 'deliveries-braked'
  | 'partner-forgotten'
  | 'partner-reconciled'
  | 'partner-tested'
  | 'brake-released'
  | 'agreement-changing'
  | 'agreement-changed';

/** One entry of now. */
export function entry(
  clock: Clock,
  actor: string,
  action: InterconnectionAction,
  subject: string,
  detail: NonNullable<JournalEntry['detail']>,
): JournalEntry {
  return { at: isoTime(clock.now()), actor, action, subject, detail };
}

/** The true cause of a failure as journal detail: code and phrase of a refusal, and what is kept from the peer. */
export function causeOf(error: unknown): { readonly code: string; readonly cause: string } {
  if (!(error instanceof Refusal))
    return { code: 'fault', cause: error instanceof Error ? error.message : String(error) };
  return { code: error.code, cause: error.detail.cause ?? error.phrase };
}
