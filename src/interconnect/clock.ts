// Time as interconnection sees it, so that tests can hold it in their hands.

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `action` once after `delay` milliseconds; the result cancels it. A waiting action does not keep the process alive. */
  after(delay: number, action: () => void): () => void;
}

/** Longest delay a timer of the platform can hold, milliseconds. */
const longestDelay = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delay, action) => {
    const timer = setTimeout(action, Math.min(Math.max(delay, 0), longestDelay));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** An instant of a clock as the store keeps it: ISO 8601, UTC. */
export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
