// The journal stays within its bounds while a gateway runs.
import { expect, test } from '@jest/globals';
import { prune, retainJournal } from './journal-retention.ts';
import type { JournalPruning } from './store.ts';

const bounds = { days: 365, rows: 1000 };
const now = (): number => Date.parse('2027-01-01T00:00:00.000Z');

/** A store that has `left` entries too many. */
function overfull(left: number) {
  const asked: JournalPruning[] = [];
  let rest = left;
  const store = {
    pruneJournal: async (pruning: JournalPruning): Promise<number> => {
      asked.push(pruning);
      const removed = Math.min(rest, pruning.limit);
      rest -= removed;
      return removed;
    },
  };
  return { store, asked, rest: () => rest };
}

test('all that is too much goes, 500 at a time', async () => {
  const { store, asked, rest } = overfull(1200);
  await prune({ store, bounds, now, onFault: () => undefined }, new AbortController().signal);
  expect(rest()).toBe(0);
  expect(asked).toEqual(Array(3).fill({ before: '2026-01-01T00:00:00.000Z', rows: 1000, limit: 500 }));
});

test('what ends it does not wait for the rest', async () => {
  const { store, asked } = overfull(1_000_000);
  await retainJournal({ store, bounds, now, onFault: () => undefined })();
  expect(asked.length).toBeLessThan(3);
});

test('a store that fails is told and does not end the gateway', async () => {
  const faults: unknown[] = [];
  const store = { pruneJournal: () => Promise.reject(new Error('disk full')) };
  const { promise: told, resolve } = Promise.withResolvers<void>();
  const onFault = (fault: unknown): void => {
    faults.push(fault);
    resolve();
  };
  const stop = retainJournal({ store, bounds, now, onFault });
  await told;
  await stop();
  expect(faults).toMatchObject([{ message: 'disk full' }]);
});
