// A partner's directory of documents, asked for again while the partner says that it is being made.
import type { InterconnectionContext } from './context.ts';
import type { DirectoryOutcome } from './ports.ts';

/** A pause that the partner asks for is waited for when it is no longer than this, seconds. */
const longestPause = 60;
/** How often the partner may ask to come again. */
const mostPauses = 60;

/** What the partner lists. RFC 9110 clause 10.2.3: asked again after each pause that it asks for, until `signal` aborts. */
export async function patientDirectory(
  { clock, gms }: Pick<InterconnectionContext, 'clock' | 'gms'>,
  partner: string,
  signal: AbortSignal,
): Promise<DirectoryOutcome> {
  for (let pauses = 0; ; pauses++) {
    const outcome = await gms.directory(partner, signal);
    if (outcome.outcome !== 'failed' || outcome.retryAfter === undefined || signal.aborted) return outcome;
    if (pauses === mostPauses || outcome.retryAfter > longestPause) return outcome;
    const over = Promise.withResolvers<void>();
    const cancel = clock.after(Math.max(outcome.retryAfter, 1) * 1000, over.resolve);
    signal.addEventListener('abort', () => over.resolve(), { once: true });
    await over.promise;
    cancel();
    if (signal.aborted) return outcome;
  }
}
