// Keeps the journal within its bounds: looks every minute and removes what is too old or too many, a little at a time.
// A gateway with a long journal to remove still answers in between.
import { setTimeout as pause } from 'node:timers/promises';
import type { Store } from './store.ts';

export interface JournalBounds {
  /** Days that an entry is kept. */
  readonly days: number;
  /** Entries that are kept. */
  readonly rows: number;
}

export interface JournalRetentionOptions {
  readonly store: Pick<Store, 'pruneJournal'>;
  readonly bounds: JournalBounds;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Hears of a store that could not remove them; it is tried again. */
  readonly onFault: (fault: unknown) => void;
}

const day = 86_400_000;
const interval = 60_000;
/** Entries removed in one commit, some milliseconds of work. */
const atOnce = 500;
/** Between two commits, milliseconds. */
const rest = 50;

/** Begins to look, at once and then every minute; the result ends that and resolves when nothing is under way. */
export function retainJournal(options: JournalRetentionOptions): () => Promise<void> {
  const ended = new AbortController();
  const work = look(options, ended.signal);
  return async () => {
    ended.abort();
    await work;
  };
}

async function look(options: JournalRetentionOptions, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    try {
      await prune(options, ended);
    } catch (fault) {
      options.onFault(fault);
    }
    await sleep(interval, ended);
  }
}

/** Removes all that is beyond the bounds now; resolves when done or when `ended` aborts. Rejects when the store does. */
export async function prune({ store, bounds, now }: JournalRetentionOptions, ended: AbortSignal): Promise<void> {
  const before = new Date(now() - bounds.days * day).toISOString();
  while (!ended.aborted) {
    const removed = await store.pruneJournal({ before, rows: bounds.rows, limit: atOnce });
    if (removed < atOnce) return;
    await sleep(rest, ended);
  }
}

async function sleep(milliseconds: number, ended: AbortSignal): Promise<void> {
  await pause(milliseconds, undefined, { signal: ended, ref: false }).catch(() => undefined);
}
