// What own users were refused is journalled, within bounds.
import { expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import type { Commit, JournalEntry } from '../store/store.ts';
import { alice, client } from './documents.testkit.ts';
import { RefusalNotes } from './refusal-notes.ts';

function opened() {
  let now = Date.parse('2026-01-02T03:04:05.000Z');
  const entries: JournalEntry[] = [];
  const notes = new RefusalNotes({
    store: {
      commit: async ({ journal = [] }: Commit) => {
        entries.push(...journal);
        return { outcome: 'committed', sequence: 1, at: '' } as const;
      },
    },
    now: () => new Date(now),
    onFault: (fault) => {
      throw fault;
    },
  });
  return { notes, entries, pass: (milliseconds: number) => (now += milliseconds) };
}

const put = { method: 'PUT', target: '/xcap-root/a' };

test('a refusal tells who asked for what and the true cause', () => {
  const { notes, entries } = opened();
  notes.note(alice, put, new Refusal('forbidden', { cause: 'not its owner' }));
  expect(entries).toEqual([
    {
      at: '2026-01-02T03:04:05.000Z',
      actor: 'sip:alice@red.example',
      action: 'request-refused',
      subject: '/xcap-root/a',
      detail: { method: 'PUT', code: 'forbidden', cause: 'not its owner' },
    },
  ]);
});

test('many refusals cost a bounded number of entries; what is left out is counted when the next minute begins', () => {
  const { notes, entries, pass } = opened();
  for (let user = 0; user < 50; user++) {
    for (let time = 0; time < 20; time++) notes.note(client(`sip:u${user}@red.example`), put, new Refusal('forbidden'));
  }
  expect(entries).toHaveLength(100);
  expect(entries.filter(({ actor }) => actor === 'sip:u1@red.example')).toHaveLength(10);
  pass(60_000);
  notes.note(alice, put, new Refusal('precondition-failed'));
  expect(entries.slice(100)).toMatchObject([
    { action: 'refusals-counted', detail: { code: 'forbidden', count: 900 } },
    { actor: 'sip:alice@red.example', detail: { code: 'precondition-failed' } },
  ]);
});

test('long targets are cut', () => {
  const { notes, entries } = opened();
  notes.note(alice, { method: 'PUT', target: 'x'.repeat(10_000) }, new Refusal('forbidden'));
  expect(entries[0]?.subject).toHaveLength(500);
});
