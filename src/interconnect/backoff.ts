// How long to wait before the next attempt: exponential with jitter, never beyond the ceiling.
// Jitter keeps many gateways that lost the same partner from coming back in one moment.

export interface BackoffSettings {
  /** Seconds before the first retry. */
  readonly first: number;
  /** Longest pause, seconds. */
  readonly ceiling: number;
}

/** A partner may ask for a longer pause, but not for an endless one, seconds. */
const longestAsked = 24 * 3600;

/**
 * Milliseconds until the attempt after `failures` failed ones (at least 1). `random` is in [0, 1): the pause lies between half
 * and all of the exponential value. `asked` is the partner's Retry-After, seconds; it is never undercut.
 */
export function retryDelay(settings: BackoffSettings, failures: number, random: number, asked?: number): number {
  const full = Math.min(settings.ceiling, settings.first * 2 ** Math.min(failures - 1, 30));
  const jittered = full * (0.5 + random / 2);
  const wanted = asked === undefined || !Number.isFinite(asked) || asked < 0 ? 0 : Math.min(asked, longestAsked);
  return Math.max(jittered, wanted) * 1000;
}
