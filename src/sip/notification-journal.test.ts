// Who was notified of what is journalled, and costs little however many are told.
import { expect, test } from '@jest/globals';
import type { Principal } from '../identity/principal.ts';
import type { Commit, JournalEntry } from '../store/store.ts';
import { TimerQueue } from './engine/timer-queue.ts';
import { NotificationJournal } from './notification-journal.ts';

const group = { kind: 'group', groupId: 'sip:g@red.example' } as const;
const server = (number: number): Principal => ({ role: 'server', identity: `sip:s${number}@red.example` });

function opened() {
  let wake: (() => void) | undefined;
  let now = Date.parse('2026-01-02T03:04:05.000Z');
  const commits: (readonly JournalEntry[])[] = [];
  const timers = new TimerQueue({
    now: () => now,
    wakeAfter: (_delay, callback) => {
      wake = callback;
      return () => {
        wake = undefined;
      };
    },
  });
  const store = {
    commit: async ({ journal = [] }: Commit) => {
      commits.push(journal);
      return { outcome: 'committed', sequence: 1, at: '' } as const;
    },
  };
  const journal = new NotificationJournal({ store, timers, log: { error: () => undefined } });
  const pass = async (milliseconds: number): Promise<void> => {
    now += milliseconds;
    wake?.();
    await Promise.resolve();
    await Promise.resolve();
  };
  return { journal, commits, pass };
}

test('who was told of the same state within a second stands in one entry', async () => {
  const { journal, commits, pass } = opened();
  journal.note(server(1), [{ resource: group, newTag: 'a' }], 200);
  journal.note(server(2), [{ resource: group, newTag: 'a' }], 200);
  journal.note(server(2), [{ resource: group, newTag: undefined }], 200);
  journal.note(server(3), [{ resource: group, newTag: 'a' }], 481);
  expect(commits).toEqual([]);
  await pass(1000);
  const about = { at: '2026-01-02T03:04:06.000Z', actor: 'system', subject: 'sip:g@red.example' };
  expect(commits).toEqual([
    [
      {
        ...about,
        action: 'notified',
        detail: { tag: 'a', count: 2, subscribers: 'sip:s1@red.example sip:s2@red.example' },
      },
      { ...about, action: 'notified', detail: { gone: 'yes', count: 1, subscribers: 'sip:s2@red.example' } },
      {
        ...about,
        action: 'notification-failed',
        detail: { status: 481, tag: 'a', count: 1, subscribers: 'sip:s3@red.example' },
      },
    ],
  ]);
});

test('10,000 subscribers of one change are 50 entries, all named', async () => {
  const { journal, commits } = opened();
  for (let number = 0; number < 10_000; number++) journal.note(server(number), [{ resource: group, newTag: 'a' }], 200);
  await journal.flush();
  const entries = commits.flat();
  expect(entries).toHaveLength(50);
  const names = entries.flatMap(({ detail }) => String(detail?.subscribers).split(' '));
  expect(new Set(names).size).toBe(10_000);
});

test('a NOTIFY about a whole collection is one entry', async () => {
  const { journal, commits } = opened();
  const told = Array.from({ length: 5000 }, (_, number) => ({
    resource: { kind: 'group', groupId: `sip:g${number}@red.example` } as const,
    newTag: 'a',
  }));
  journal.note(server(1), told, 200);
  await journal.flush();
  expect(commits.flat()).toMatchObject([
    { action: 'notified', subject: 'notifications:sip:s1@red.example', detail: { documents: 5000, count: 1 } },
  ]);
});

test('a NOTIFY about several hundred documents is an entry for each, in commits of a bounded size', async () => {
  const { journal, commits } = opened();
  const told = Array.from({ length: 700 }, (_, number) => ({
    resource: { kind: 'group', groupId: `sip:g${number}@red.example` } as const,
    newTag: 'a',
  }));
  journal.note(server(1), told, 200);
  journal.note(server(2), told, 200);
  await journal.flush();
  expect(commits.flat().map(({ subject }) => subject)).toEqual(told.map(({ resource }) => resource.groupId));
  expect(commits.flat()[699]).toMatchObject({
    detail: { count: 2, subscribers: 'sip:s1@red.example sip:s2@red.example' },
  });
  expect(Math.max(...commits.map((entries) => entries.length))).toBe(200);
});

test('a NOTIFY that told nothing is not journalled', async () => {
  const { journal, commits } = opened();
  journal.note(server(1), [], 200);
  await journal.flush();
  expect(commits).toEqual([]);
});
