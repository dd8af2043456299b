// Spreads requests to one partner over time: so many a second, so many at once.
import type { Clock } from './clock.ts';

export interface Pace {
  /** Requests a second. */
  readonly rate: number;
  /** Requests under way at once. */
  readonly concurrency: number;
}

/**
 * Calls `work` for each item at this pace until all are done or `isStopped` says so. Resolves when nothing is under way. `work` must not
 * reject.
 */
export async function paced<Item>(
  items: Iterable<Item>,
  { rate, concurrency }: Pace,
  clock: Clock,
  isStopped: () => boolean,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = items[Symbol.iterator]();
  let nextAt = clock.now();
  const turn = async (): Promise<void> => {
    const now = clock.now();
    const at = Math.max(nextAt, now);
    nextAt = at + 1000 / rate;
    if (at > now) await new Promise<void>((resolve) => clock.after(at - now, resolve));
  };
  const worker = async (): Promise<void> => {
    for (;;) {
      if (isStopped()) return;
      const next = waiting.next();
      if (next.done === true) return;
      await turn();
      if (isStopped()) return;
      await work(next.value);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}
