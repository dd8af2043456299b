// The contract that every Store must keep, as a suite that runs against any engine.
// `open(directory)` opens the store that lives in `directory`, again after a close.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type ManualClock, manualClock } from './clock.testkit.ts';
import type { CommitCounters } from './commit-counters.ts';
import { verifyJournal } from './journal-verify.ts';
import type { Commit, DocumentKey, DocumentWrite, JournalEntry, SourceRecord, Store } from './store.ts';

const groups = 'org.openmobilealliance.groups';

/** Key of a group document in the users tree. */
export function userKey(name: string, xui = 'sip:groups@red.example'): DocumentKey {
  return { auid: groups, tree: 'users', xui, name };
}

/** A `put` of text under a key, with a tag derived from the text. */
export function put(
  key: DocumentKey,
  text: string,
  expected?: string | null,
  groupId?: string,
): Extract<DocumentWrite, { write: 'put' }> {
  const document = { key, tag: `tag-${text}`, bytes: Buffer.from(text), groupId };
  return { write: 'put', document, expected };
}

const entry = (subject: string, action = 'document-put'): JournalEntry => ({
  at: '2026-01-02T03:04:05.000Z',
  actor: 'sip:admin@red.example',
  action,
  subject,
});

const source = (groupId: string, partner: string, text: string): SourceRecord => ({
  groupId,
  partner,
  bytes: Buffer.from(text),
  tag: `tag-${text}`,
  primaryTag: 'theirs',
  policy: 'from-red',
  policyVersion: 3,
  appliedRules: ['our ceiling', 'our members'],
  received: '2026-01-02T03:04:05.000Z',
  sent: '2026-01-02T03:04:04.000Z',
  heldSince: '2026-01-02T03:04:05.000Z',
  released: Buffer.from('before'),
});

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString();

/** A store that tells how its commits were batched. */
export type CountingStore = Store & { readonly counters: CommitCounters };

/** Runs the whole contract against the engine that `open` opens. */
export function describeStore(
  name: string,
  open: (directory: string, options: { readonly now: () => Date }) => Promise<CountingStore>,
): void {
  describe(`${name} keeps the store contract`, () => {
    let directory: string;
    let clock: ManualClock;
    let store: CountingStore;

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'store-contract-'));
      clock = manualClock();
      store = await open(directory, clock);
    });

    afterEach(async () => {
      await store.close();
      await rm(directory, { recursive: true });
    });

    const reopen = async (): Promise<void> => {
      await store.close();
      store = await open(directory, clock);
    };
    const outcome = async (commit: Commit): Promise<string> => (await store.commit(commit)).outcome;

    describe('documents', () => {
      test('a document comes back as it was put, with the instant of the commit', async () => {
        const key = userKey('alpha');
        const committed = await store.commit({ documents: [put(key, 'one', null, 'sip:alpha@red.example')] });
        expect(committed).toEqual({ outcome: 'committed', sequence: 1, at: '2026-01-02T03:04:05.000Z' });
        const stored = await store.document(key);
        expect({ ...stored, bytes: text(stored?.bytes) }).toEqual({
          key,
          tag: 'tag-one',
          bytes: 'one',
          groupId: 'sip:alpha@red.example',
          modified: '2026-01-02T03:04:05.000Z',
        });
        expect((await store.groupDocument('sip:alpha@red.example'))?.key).toEqual(key);
        expect(await store.document(userKey('Alpha'))).toBeUndefined();
        expect(await store.groupDocument('sip:beta@red.example')).toBeUndefined();
      });

      test('every byte survives, also zero bytes, and an empty document', async () => {
        const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
        const key = userKey('all bytes/ü/"\'%');
        await store.commit({
          documents: [
            { write: 'put', document: { key, tag: 't', bytes } },
            { write: 'put', document: { key: userKey('empty'), tag: 'e', bytes: new Uint8Array() } },
          ],
        });
        await reopen();
        expect(Buffer.compare((await store.document(key))?.bytes ?? new Uint8Array(), bytes)).toBe(0);
        expect((await store.document(userKey('empty')))?.bytes.byteLength).toBe(0);
      });

      test('put expecting none creates once', async () => {
        const key = userKey('alpha');
        expect(await outcome({ documents: [put(key, 'one', null)] })).toBe('committed');
        expect(await outcome({ documents: [put(key, 'two', null)] })).toBe('conflict');
        expect((await store.document(key))?.tag).toBe('tag-one');
      });

      test('put expecting a tag replaces that version and no other', async () => {
        const key = userKey('alpha');
        expect(await outcome({ documents: [put(key, 'zero', 'tag-none')] })).toBe('conflict');
        await store.commit({ documents: [put(key, 'one', null)] });
        clock.set('2026-01-02T04:00:00.000Z');
        expect(await outcome({ documents: [put(key, 'two', 'tag-one')] })).toBe('committed');
        expect(await outcome({ documents: [put(key, 'three', 'tag-one')] })).toBe('conflict');
        const stored = await store.document(key);
        expect(stored?.tag).toBe('tag-two');
        expect(stored?.modified).toBe('2026-01-02T04:00:00.000Z');
      });

      test('put without expectation overwrites whatever is there', async () => {
        const key = userKey('alpha');
        expect(await outcome({ documents: [put(key, 'one')] })).toBe('committed');
        expect(await outcome({ documents: [put(key, 'two')] })).toBe('committed');
        expect(text((await store.document(key))?.bytes)).toBe('two');
      });

      test('delete expects like put', async () => {
        const key = userKey('alpha');
        expect(await outcome({ documents: [{ write: 'delete', key, expected: 'tag-one' }] })).toBe('conflict');
        await store.commit({ documents: [put(key, 'one', null)] });
        expect(await outcome({ documents: [{ write: 'delete', key, expected: 'tag-two' }] })).toBe('conflict');
        expect(await outcome({ documents: [{ write: 'delete', key, expected: null }] })).toBe('conflict');
        expect(await outcome({ documents: [{ write: 'delete', key, expected: 'tag-one' }] })).toBe('committed');
        expect(await store.document(key)).toBeUndefined();
        expect(await outcome({ documents: [{ write: 'delete', key }] })).toBe('committed');
      });

      test('a group ID belongs to one document in the system', async () => {
        const groupId = 'sip:alpha@red.example';
        await store.commit({ documents: [put(userKey('alpha'), 'one', null, groupId)] });
        expect(await store.commit({ documents: [put(userKey('beta'), 'two', null, groupId)] })).toEqual({
          outcome: 'taken',
          groupId,
        });
        expect(await store.document(userKey('beta'))).toBeUndefined();
        // The same document may keep it, change it and give it free.
        expect(await outcome({ documents: [put(userKey('alpha'), 'three', 'tag-one', groupId)] })).toBe('committed');
        expect(await outcome({ documents: [put(userKey('alpha'), 'four', 'tag-three', 'sip:x@red.example')] })).toBe(
          'committed',
        );
        expect(await outcome({ documents: [put(userKey('beta'), 'two', null, groupId)] })).toBe('committed');
      });

      test('a group moves to another name within one commit', async () => {
        const groupId = 'sip:alpha@red.example';
        await store.commit({ documents: [put(userKey('alpha'), 'one', null, groupId)] });
        const moved = await store.commit({
          documents: [
            { write: 'delete', key: userKey('alpha'), expected: 'tag-one' },
            put(userKey('beta'), 'one', null, groupId),
          ],
        });
        expect(moved.outcome).toBe('committed');
        expect((await store.groupDocument(groupId))?.key.name).toBe('beta');
      });

      test('documents without a group ID do not collide', async () => {
        expect(await outcome({ documents: [put(userKey('a'), 'one'), put(userKey('b'), 'two')] })).toBe('committed');
      });
    });

    describe('listings', () => {
      const keys: readonly DocumentKey[] = [
        { auid: groups, tree: 'global', xui: '', name: 'byGroupID/sip:a@blue.example' },
        { auid: groups, tree: 'global', xui: '', name: 'byGroupID/sip:b@blue.example' },
        { auid: groups, tree: 'global', xui: '', name: 'byGroupID0' },
        userKey('x', 'sip:alice@red.example'),
        userKey('Z', 'sip:bob@red.example'),
        userKey('y', 'sip:bob@red.example'),
        userKey('y\u{10ffff}\u{10ffff}', 'sip:bob@red.example'),
        userKey('z', 'sip:bob@red.example'),
        { auid: 'resource-lists', tree: 'users', xui: 'sip:bob@red.example', name: 'index' },
      ];
      const names = (found: readonly { readonly key: DocumentKey }[]): readonly string[] =>
        found.map(({ key }) => key.name);

      beforeEach(async () => {
        const writes = keys.map((key) => put(key, key.name, null, key.tree === 'global' ? key.name : undefined));
        await store.commit({ documents: writes.toReversed() });
      });

      test('without filter all documents come in key order, sized, without bytes', async () => {
        const found = await store.documents({});
        expect(found.map(({ key }) => key)).toEqual(keys);
        expect(found[0]).toEqual({
          key: keys[0],
          tag: `tag-${keys[0]?.name}`,
          size: 28,
          groupId: keys[0]?.name,
          modified: '2026-01-02T03:04:05.000Z',
        });
      });

      test('every filter narrows and all of them combine', async () => {
        expect(names(await store.documents({ auid: 'resource-lists' }))).toEqual(['index']);
        expect(names(await store.documents({ tree: 'global' }))).toHaveLength(3);
        expect(names(await store.documents({ auid: groups, xui: 'sip:bob@red.example' }))).toHaveLength(4);
        expect(names(await store.documents({ groups: true }))).toHaveLength(3);
        expect(names(await store.documents({ groups: false }))).toHaveLength(keys.length - 3);
        expect(names(await store.documents({ auid: groups, tree: 'users', xui: 'sip:alice@red.example' }))).toEqual([
          'x',
        ]);
        expect(await store.documents({ auid: 'resource-lists', groups: true })).toEqual([]);
      });

      test('a prefix is text, not a pattern, and its last successor is not lost', async () => {
        const prefixed = async (namePrefix: string): Promise<readonly string[]> =>
          names(await store.documents({ namePrefix, auid: groups }));
        expect(await prefixed('byGroupID/')).toHaveLength(2);
        expect(await prefixed('byGroupID')).toHaveLength(3);
        expect(await prefixed('%')).toEqual([]);
        expect(await prefixed('y')).toEqual(['y', 'y\u{10ffff}\u{10ffff}']);
        expect(await prefixed('y\u{10ffff}')).toEqual(['y\u{10ffff}\u{10ffff}']);
        expect(await prefixed('')).toHaveLength(8);
      });

      test('pages join without gap or repetition', async () => {
        const seen: DocumentKey[] = [];
        for (let page = await store.documents({ limit: 2 }); page.length > 0; ) {
          seen.push(...page.map(({ key }) => key));
          const after = seen.at(-1);
          page = after === undefined ? [] : await store.documents({ limit: 2, after });
        }
        expect(seen).toEqual(keys);
      });
    });

    describe('atomicity', () => {
      test('a failed expectation anywhere writes nothing of any part', async () => {
        await store.commit({ documents: [put(userKey('old'), 'old', null)] });
        const refused = await store.commit({
          documents: [put(userKey('new'), 'new', null), { write: 'delete', key: userKey('old') }],
          sources: [
            { write: 'put', source: source('sip:g@red.example', 'red', 'one') },
            { write: 'put', source: source('sip:h@red.example', 'red', 'one'), expected: 'tag-absent' },
          ],
          deliveries: [
            { write: 'queue', delivery: { partner: 'red', groupId: 'sip:g@red.example', action: 'provide' } },
          ],
          subscriptions: [{ write: 'put', subscription: { id: 's', expires: 1, state: '{}' } }],
          journal: [entry('new')],
        });
        expect(refused).toEqual({ outcome: 'conflict' });
        expect(await store.document(userKey('new'))).toBeUndefined();
        expect(await store.document(userKey('old'))).toBeDefined();
        expect(await store.sources()).toEqual([]);
        expect(await store.deliveries()).toEqual([]);
        expect(await store.subscriptions()).toEqual([]);
        expect(await store.journal()).toEqual([]);
      });

      test('a taken group ID takes earlier parts back', async () => {
        await store.commit({ documents: [put(userKey('a'), 'a', null, 'sip:g@red.example')] });
        const refused = await store.commit({
          documents: [put(userKey('b'), 'b', null), put(userKey('c'), 'c', null, 'sip:g@red.example')],
          journal: [entry('b')],
        });
        expect(refused.outcome).toBe('taken');
        expect(await store.document(userKey('b'))).toBeUndefined();
        expect(await store.journal()).toEqual([]);
      });

      test('a commit that fails beside others fails alone', async () => {
        const outcomes = await Promise.all([
          outcome({ documents: [put(userKey('a'), 'a', null)], journal: [entry('a')] }),
          outcome({ documents: [put(userKey('a'), 'b', null)], journal: [entry('b')] }),
          outcome({ documents: [put(userKey('c'), 'c', null)], journal: [entry('c')] }),
        ]);
        expect(outcomes).toEqual(['committed', 'conflict', 'committed']);
        expect((await store.journal()).map(({ subject }) => subject)).toEqual(['a', 'c']);
      });

      test('sequences grow with each commit, also over a restart', async () => {
        const sequences: number[] = [];
        for (const name of ['a', 'b', 'c']) {
          const committed = await store.commit({ documents: [put(userKey(name), name, null)] });
          if (committed.outcome === 'committed') sequences.push(committed.sequence);
          await store.commit({ documents: [put(userKey(name), name, null)] });
          await reopen();
        }
        expect(sequences).toHaveLength(3);
        expect(sequences).toEqual(sequences.toSorted((one, other) => one - other));
        expect(new Set(sequences).size).toBe(3);
      });

      test('64 concurrent writers of one document with compare-and-swap lose no increment', async () => {
        const key = userKey('counter');
        const number = (value: number) => ({ key, tag: `v${value}`, bytes: Buffer.from(String(value)) });
        await store.commit({ documents: [{ write: 'put', document: number(0), expected: null }] });
        const increment = async (): Promise<void> => {
          for (;;) {
            const current = await store.document(key);
            const document = number(Number(text(current?.bytes)) + 1);
            if (
              (await outcome({ documents: [{ write: 'put', document, expected: current?.tag ?? null }] })) ===
              'committed'
            )
              return;
          }
        };
        await Promise.all(Array.from({ length: 64 }, increment));
        expect(text((await store.document(key))?.bytes)).toBe('64');
      });

      test('64 concurrent writers of different documents all succeed', async () => {
        const outcomes = await Promise.all(
          Array.from({ length: 64 }, (_, index) =>
            outcome({ documents: [put(userKey(`d${index}`), 'x', null)], journal: [entry(`d${index}`)] }),
          ),
        );
        expect(new Set(outcomes)).toEqual(new Set(['committed']));
        await reopen();
        expect(await store.documents({})).toHaveLength(64);
        expect(await store.journal()).toHaveLength(64);
      });
    });

    describe('group commit', () => {
      test('64 commits of one moment share one durable transaction, 640 in rounds need about ten', async () => {
        const round = (number: number): Promise<unknown> =>
          Promise.all(
            Array.from({ length: 64 }, (_, index) =>
              store.commit({ documents: [put(userKey(`${number}-${index}`), 'x', null)] }),
            ),
          );
        await round(0);
        expect(store.counters).toMatchObject({ commits: 64, conflicts: 0, failures: 0 });
        expect(store.counters.transactions).toBeLessThanOrEqual(4);
        for (let number = 1; number < 10; number++) await round(number);
        expect(store.counters.commits).toBe(640);
        expect(store.counters.transactions).toBeLessThanOrEqual(40);
      });

      test('a commit that the engine refuses is rejected alone, its neighbours are stored', async () => {
        const bad = { ...userKey('bad'), tree: 'elsewhere' } as unknown as ReturnType<typeof userKey>;
        const settled = await Promise.allSettled([
          store.commit({ documents: [put(userKey('a'), 'x', null)], journal: [entry('a')] }),
          store.commit({ documents: [put(userKey('b'), 'x', null), put(bad, 'x')], journal: [entry('b')] }),
          store.commit({ documents: [put(userKey('c'), 'x', null)], journal: [entry('c')] }),
        ]);
        expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
        expect((await store.documents({})).map(({ key }) => key.name)).toEqual(['a', 'c']);
        expect((await store.journal()).map(({ subject }) => subject)).toEqual(['a', 'c']);
        expect(store.counters).toMatchObject({ commits: 3, conflicts: 0, failures: 1 });
        expect(await verifyJournal(store)).toMatchObject({ intact: true, entries: 2 });
      });

      test('commits are answered in their order, and each sees what those before it wrote', async () => {
        const groupId = 'sip:moving@red.example';
        const answered: string[] = [];
        const step = async (name: string, commit: Commit): Promise<void> => {
          answered.push(`${name} ${await outcome(commit)}`);
        };
        await Promise.all([
          step('create', { documents: [put(userKey('a'), 'one', null, groupId)] }),
          step('again', { documents: [put(userKey('a'), 'two', null, groupId)] }),
          step('elsewhere', { documents: [put(userKey('b'), 'one', null, groupId)] }),
          step('without the group', { documents: [put(userKey('a'), 'two', 'tag-one')] }),
          step('now elsewhere', { documents: [put(userKey('b'), 'one', null, groupId)] }),
          step('delete', { documents: [{ write: 'delete', key: userKey('b'), expected: 'tag-one' }] }),
          step('back', { documents: [put(userKey('a'), 'three', 'tag-two', groupId)] }),
          step('queue', { deliveries: [{ write: 'queue', delivery: { partner: 'p', groupId, action: 'provide' } }] }),
          step('queue anew', {
            deliveries: [{ write: 'queue', delivery: { partner: 'p', groupId, action: 'withdraw' } }],
          }),
          step('put and forget', { memos: [{ name: 'm', value: '1' }, { name: 'm' }, { name: 'm', value: '2' }] }),
          step('source', { sources: [{ write: 'put', source: source(groupId, 'red', 'one'), expected: null }] }),
          step('newer source', {
            sources: [{ write: 'put', source: source(groupId, 'red', 'two'), expected: 'tag-one' }],
          }),
        ]);
        expect(answered).toEqual([
          'create committed',
          'again conflict',
          'elsewhere taken',
          'without the group committed',
          'now elsewhere committed',
          'delete committed',
          'back committed',
          'queue committed',
          'queue anew committed',
          'put and forget committed',
          'source committed',
          'newer source committed',
        ]);
        expect(await store.groupDocument(groupId)).toMatchObject({ key: userKey('a'), tag: 'tag-three' });
        expect(await store.document(userKey('b'))).toBeUndefined();
        expect(await store.delivery('p', groupId)).toMatchObject({ action: 'withdraw', sequence: 7 });
        expect(await store.memo('m')).toBe('2');
        expect((await store.source(groupId))?.tag).toBe('tag-two');
      });
    });

    describe('sources', () => {
      test('a source comes back whole, its listing without bytes', async () => {
        const whole = source('sip:g@red.example', 'red', 'one');
        await store.commit({ sources: [{ write: 'put', source: whole, expected: null }] });
        const found = await store.source('sip:g@red.example');
        const readable = { bytes: text(found?.bytes), released: text(found?.released) };
        expect({ ...found, ...readable }).toEqual({ ...whole, bytes: 'one', released: 'before' });
        const { bytes, released, ...summary } = whole;
        expect([bytes.byteLength, released?.byteLength]).toEqual([3, 6]);
        expect(await store.sources()).toEqual([summary]);
      });

      test('expectations compare the tag of the source', async () => {
        const groupId = 'sip:g@red.example';
        await store.commit({ sources: [{ write: 'put', source: source(groupId, 'red', 'one'), expected: null }] });
        const stale = {
          ...source(groupId, 'red', 'two'),
          primaryTag: undefined,
          staleSince: '2026-01-03T00:00:00.000Z',
        };
        expect(await outcome({ sources: [{ write: 'put', source: stale, expected: null }] })).toBe('conflict');
        expect(await outcome({ sources: [{ write: 'put', source: stale, expected: 'tag-one' }] })).toBe('committed');
        const found = await store.source(groupId);
        expect(found?.staleSince).toBe('2026-01-03T00:00:00.000Z');
        expect(found?.primaryTag).toBeUndefined();
        expect(await outcome({ sources: [{ write: 'delete', groupId, expected: 'tag-one' }] })).toBe('conflict');
        expect(await outcome({ sources: [{ write: 'delete', groupId, expected: 'tag-two' }] })).toBe('committed');
        expect(await store.source(groupId)).toBeUndefined();
      });

      test('sources list by partner', async () => {
        await store.commit({
          sources: [
            { write: 'put', source: source('sip:b@red.example', 'red', '1') },
            { write: 'put', source: source('sip:a@red.example', 'red', '2') },
            { write: 'put', source: source('sip:c@green.example', 'green', '3') },
          ],
        });
        const ids = (await store.sources('red')).map(({ groupId }) => groupId);
        expect(ids).toEqual(['sip:a@red.example', 'sip:b@red.example']);
        expect(await store.sources('blue')).toEqual([]);
      });

      test('the states of sources list by partner, with the marks that they carry', async () => {
        const since = '2026-01-01T00:00:00.000Z';
        const a = { ...source('sip:a@red.example', 'red', '2'), staleSince: since };
        const b = { ...source('sip:b@red.example', 'red', '1'), heldSince: since };
        const c = source('sip:c@green.example', 'green', '3');
        await store.commit({ sources: [a, b, c].map((one) => ({ write: 'put', source: one })) });
        const state = ({ groupId, partner, received, staleSince, heldSince }: SourceRecord) => ({
          groupId,
          partner,
          received,
          ...(staleSince === undefined ? {} : { staleSince }),
          ...(heldSince === undefined ? {} : { heldSince }),
        });
        expect(await store.sourceStates('red')).toEqual([a, b].map(state));
        expect(await store.sourceStates()).toEqual([c, a, b].map(state));
        expect(await store.sourceStates('blue')).toEqual([]);
      });
    });

    test('a memo is what was written last under its name, until it is forgotten', async () => {
      await store.commit({ memos: [{ name: 'brake', value: 'one' }] });
      await store.commit({ memos: [{ name: 'brake', value: 'two' }] });
      expect(await store.memo('brake')).toBe('two');
      await store.commit({ memos: [{ name: 'brake' }] });
      expect(await store.memo('brake')).toBeUndefined();
    });

    describe('deliveries', () => {
      const partner = 'blue';
      const groupId = 'sip:g@red.example';
      const queue = (action: 'provide' | 'withdraw' = 'provide', group = groupId): Commit => ({
        deliveries: [{ write: 'queue', delivery: { partner, groupId: group, action } }],
      });
      const settle = (
        sequence: number,
        state: 'queued' | 'delivered' | 'parked',
        more: { readonly notBefore?: string; readonly partnerTag?: string; readonly outcome?: string } = {},
      ): Commit => ({
        deliveries: [{ write: 'settle', partner, groupId, sequence, state, attempts: 1, ...more }],
      });
      const queued = async (action?: 'provide' | 'withdraw'): Promise<number> => {
        await store.commit(queue(action));
        return (await store.delivery(partner, groupId))?.sequence ?? -1;
      };

      test('a queued delivery starts fresh', async () => {
        const committed = await store.commit(queue());
        expect(await store.delivery(partner, groupId)).toEqual({
          partner,
          groupId,
          action: 'provide',
          state: 'queued',
          sequence: committed.outcome === 'committed' ? committed.sequence : -1,
          attempts: 0,
          queued: '2026-01-02T03:04:05.000Z',
        });
        expect(await store.delivery('green', groupId)).toBeUndefined();
      });

      test('a braked delivery says why, is not due, and is queued by the next content', async () => {
        const delivery = { partner, groupId, action: 'withdraw', braked: 'too many at once' } as const;
        await store.commit({ deliveries: [{ write: 'queue', delivery }] });
        expect(await store.delivery(partner, groupId)).toMatchObject({ state: 'braked', outcome: 'too many at once' });
        expect(await store.dueDeliveries(partner, '2027-01-01T00:00:00.000Z', 10)).toEqual([]);
        expect(await store.deliveries({ state: 'braked' })).toHaveLength(1);
        await store.commit(queue());
        expect(await store.delivery(partner, groupId)).toMatchObject({ state: 'queued', action: 'provide' });
      });

      test('deliveries are counted by partner, action and state, with the age of the oldest', async () => {
        await store.commit(queue());
        clock.set('2026-01-02T05:00:00.000Z');
        const other = { partner, groupId: 'sip:other@red.example', action: 'provide' } as const;
        await store.commit({ deliveries: [{ write: 'queue', delivery: other }] });
        await store.commit({ deliveries: [{ write: 'queue', delivery: { ...other, partner: 'zebra' } }] });
        const counted = { action: 'provide', state: 'queued' } as const;
        const zebra = { partner: 'zebra', ...counted, count: 1, oldest: '2026-01-02T05:00:00.000Z' };
        const first = { partner, ...counted, count: 2, oldest: '2026-01-02T03:04:05.000Z' };
        expect(await store.deliveryCounts()).toEqual([first, zebra]);
        expect(await store.deliveryCounts('zebra')).toEqual([zebra]);
      });

      test('newest wins: one row per partner and group, with the tag that the partner told and no outcome of before', async () => {
        const first = await queued();
        await store.commit(settle(first, 'delivered', { partnerTag: 'theirs', outcome: '201' }));
        clock.set('2026-01-02T05:00:00.000Z');
        const second = await queued('withdraw');
        expect(second).toBeGreaterThan(first);
        expect(await store.deliveries()).toEqual([
          {
            partner,
            groupId,
            action: 'withdraw',
            state: 'queued',
            sequence: second,
            attempts: 0,
            partnerTag: 'theirs',
            queued: '2026-01-02T05:00:00.000Z',
          },
        ]);
      });

      test('an attempt at older content settles nothing', async () => {
        const first = await queued();
        const second = await queued();
        expect(await outcome(settle(first, 'delivered', { partnerTag: 'old' }))).toBe('committed');
        const row = await store.delivery(partner, groupId);
        expect(row).toMatchObject({ state: 'queued', sequence: second, attempts: 0 });
        expect(row?.partnerTag).toBeUndefined();
      });

      test('a failed attempt waits and keeps the tag; a success without a tag forgets it', async () => {
        const first = await queued();
        await store.commit(settle(first, 'delivered', { partnerTag: 'theirs' }));
        const second = await queued();
        await store.commit(settle(second, 'queued', { notBefore: '2026-01-02T03:05:00.000Z', outcome: 'no answer' }));
        expect(await store.delivery(partner, groupId)).toMatchObject({
          state: 'queued',
          attempts: 1,
          partnerTag: 'theirs',
          notBefore: '2026-01-02T03:05:00.000Z',
          outcome: 'no answer',
        });
        await store.commit(settle(second, 'delivered'));
        const row = await store.delivery(partner, groupId);
        expect(row?.partnerTag).toBeUndefined();
        expect(row?.notBefore).toBeUndefined();
      });

      test('due are the queued ones whose time has come, oldest first, bounded', async () => {
        await store.commit(queue('provide', 'sip:late@red.example'));
        const waiting = await queued();
        await store.commit(settle(waiting, 'queued', { notBefore: '2026-01-02T06:00:00.000Z' }));
        await store.commit(queue('provide', 'sip:later@red.example'));
        await store.commit({
          deliveries: [{ write: 'queue', delivery: { partner: 'green', groupId, action: 'provide' } }],
        });
        const due = async (now: string, limit = 10): Promise<readonly string[]> =>
          (await store.dueDeliveries(partner, now, limit)).map((delivery) => delivery.groupId);
        expect(await due('2026-01-02T05:59:59.999Z')).toEqual(['sip:late@red.example', 'sip:later@red.example']);
        expect(await due('2026-01-02T06:00:00.000Z')).toEqual([
          'sip:late@red.example',
          groupId,
          'sip:later@red.example',
        ]);
        expect(await due('2026-01-02T06:00:00.000Z', 1)).toEqual(['sip:late@red.example']);
        await store.commit(settle(waiting, 'parked', { outcome: '403' }));
        expect(await due('2026-01-03T00:00:00.000Z')).not.toContain(groupId);
      });

      test('urgent ones come first, and what was urgent and waits stays so when newer content replaces it', async () => {
        const ids = async (): Promise<readonly string[]> =>
          (await store.dueDeliveries(partner, '2027-01-01T00:00:00.000Z', 10)).map((delivery) => delivery.groupId);
        const write = (id: string, urgent?: boolean): Promise<unknown> =>
          store.commit({
            deliveries: [{ write: 'queue', delivery: { partner, groupId: id, action: 'provide', urgent } }],
          });
        await write('sip:bulk@red.example');
        await write('sip:regroup@red.example', true);
        expect(await ids()).toEqual(['sip:regroup@red.example', 'sip:bulk@red.example']);
        await write('sip:regroup@red.example');
        expect(await store.delivery(partner, 'sip:regroup@red.example')).toMatchObject({ urgent: true });
        const { sequence = 0 } = (await store.delivery(partner, 'sip:regroup@red.example')) ?? {};
        const done = { write: 'settle', partner, groupId: 'sip:regroup@red.example', sequence, attempts: 1 } as const;
        await store.commit({ deliveries: [{ ...done, state: 'delivered' }] });
        await write('sip:regroup@red.example');
        expect(await ids()).toEqual(['sip:bulk@red.example', 'sip:regroup@red.example']);
      });

      test('of those that wait the one whose time comes first is told first', async () => {
        const sequence = await queued();
        await store.commit(settle(sequence, 'queued', { notBefore: '2026-01-02T06:00:00.000Z' }));
        expect(await store.waitingDeliveries(partner, 1)).toMatchObject([{ groupId }]);
        await store.commit(queue('provide', 'sip:now@red.example'));
        expect(await store.waitingDeliveries(partner, 1)).toMatchObject([{ groupId: 'sip:now@red.example' }]);
        expect(await store.waitingDeliveries(partner, 9)).toHaveLength(2);
      });

      test('listing by partner and state, and dropping', async () => {
        const sequence = await queued();
        await store.commit(settle(sequence, 'parked'));
        await store.commit(queue('provide', 'sip:h@red.example'));
        expect(await store.deliveries({ state: 'parked' })).toHaveLength(1);
        expect(await store.deliveries({ partner, state: 'queued' })).toHaveLength(1);
        expect(await store.deliveries({ partner: 'green' })).toEqual([]);
        await store.commit({ deliveries: [{ write: 'drop', partner, groupId }] });
        expect(await store.delivery(partner, groupId)).toBeUndefined();
        expect(await store.deliveries({ partner })).toHaveLength(1);
      });

      test('a delivery is queued with the document that causes it, or not at all', async () => {
        const commit: Commit = { documents: [put(userKey('g'), 'one', null, groupId)], ...queue() };
        expect(await outcome(commit)).toBe('committed');
        const sequence = (await store.delivery(partner, groupId))?.sequence;
        expect(await outcome(commit)).toBe('conflict');
        expect((await store.delivery(partner, groupId))?.sequence).toBe(sequence);
      });
    });

    describe('subscriptions and journal', () => {
      test('subscriptions are put, replaced and deleted', async () => {
        const write = (id: string, expires: number, state: string): Commit => ({
          subscriptions: [{ write: 'put', subscription: { id, expires, state } }],
        });
        await store.commit(write('a', 1_767_000_000, '{"cseq":1}'));
        await store.commit(write('b', 1_767_000_000.5, '{}'));
        await store.commit(write('a', 1_767_000_060, '{"cseq":2}'));
        await reopen();
        expect(await store.subscriptions()).toEqual([
          { id: 'a', expires: 1_767_000_060, state: '{"cseq":2}' },
          { id: 'b', expires: 1_767_000_000.5, state: '{}' },
        ]);
        await store.commit({
          subscriptions: [
            { write: 'delete', id: 'a' },
            { write: 'delete', id: 'absent' },
          ],
        });
        expect((await store.subscriptions()).map(({ id }) => id)).toEqual(['b']);
      });

      test('the journal is read in order, by subject, from a place on, bounded', async () => {
        const detail = { cause: 'no agreement', attempts: 2, final: true };
        await store.commit({ journal: [entry('a'), { ...entry('b'), detail }] });
        await store.commit({ journal: [entry('a', 'document-delete')] });
        const all = await store.journal();
        expect(all.map(({ subject }) => subject)).toEqual(['a', 'b', 'a']);
        expect(all[1]).toEqual({ ...entry('b'), detail, sequence: all[1]?.sequence });
        expect((await store.journal({ subject: 'a' })).map(({ action }) => action)).toEqual([
          'document-put',
          'document-delete',
        ]);
        const first = all[0]?.sequence ?? 0;
        expect((await store.journal({ after: first, limit: 1 })).map(({ subject }) => subject)).toEqual(['b']);
        expect(await store.journal({ subject: 'a', after: all[2]?.sequence ?? 0 })).toEqual([]);
      });

      test('a subject of any length is found again', async () => {
        const long = Array.from({ length: 2000 }, (_, place) => String.fromCodePoint(0x4e00 + place * 7)).join('');
        await store.commit({ journal: [entry(`${long}a`), entry(`${long}b`), entry('')] });
        expect(await store.journal({ subject: `${long}b` })).toMatchObject([{ subject: `${long}b`, sequence: 2 }]);
        expect(await store.journal({ subject: '' })).toMatchObject([{ subject: '', sequence: 3 }]);
      });

      describe('pruning removes the oldest entries of the journal', () => {
        const past = '2000-01-01T00:00:00.000Z';
        const left = async (): Promise<string> => (await store.journal()).map(({ subject }) => subject).join('');
        beforeEach(async () => {
          await store.commit({ journal: ['a', 'b'].map((one) => ({ ...entry(one), at: '2025-01-01T00:00:00.000Z' })) });
          await store.commit({ journal: ['c', 'd', 'e'].map((one) => entry(one)) });
        });

        test('that are too old', async () => {
          expect(await store.pruneJournal({ before: '2025-06-01T00:00:00.000Z', rows: 100, limit: 100 })).toBe(2);
          expect(await left()).toBe('cde');
        });

        test('that are too many', async () => {
          expect(await store.pruneJournal({ before: past, rows: 1, limit: 100 })).toBe(4);
          expect(await left()).toBe('e');
        });

        test('a few at a time, and none when all are wanted', async () => {
          expect(await store.pruneJournal({ before: past, rows: 2, limit: 2 })).toBe(2);
          expect(await left()).toBe('cde');
          expect(await store.pruneJournal({ before: past, rows: 2, limit: 2 })).toBe(1);
          expect(await store.pruneJournal({ before: past, rows: 2, limit: 2 })).toBe(0);
          expect(await left()).toBe('de');
        });

        test('whose sequences never come back, even when all are gone', async () => {
          const newest = (await store.journal()).at(-1)?.sequence ?? 0;
          expect(await store.pruneJournal({ before: past, rows: 0, limit: 100 })).toBe(5);
          await store.commit({ journal: [entry('f')] });
          expect((await store.journal())[0]?.sequence).toBe(newest + 1);
        });
      });
    });

    describe('records', () => {
      const write = (kind: string, name: string, value?: string, expected?: string | null): Promise<string> =>
        outcome({ records: [{ kind, name, value, expected }] });

      test('a record is what was written last under its kind and name, until it is forgotten', async () => {
        await write('overlay', 'a', 'one');
        await write('overlay', 'a', 'two');
        await write('other', 'a', 'three');
        await reopen();
        expect(await store.record('overlay', 'a')).toBe('two');
        expect(await store.record('other', 'a')).toBe('three');
        await write('overlay', 'a');
        expect(await store.record('overlay', 'a')).toBeUndefined();
      });

      test('an expectation that does not hold writes nothing of the commit', async () => {
        expect(await write('overlay', 'a', 'one', null)).toBe('committed');
        expect(await write('overlay', 'a', 'two', null)).toBe('conflict');
        expect(await write('overlay', 'a', 'two', 'zero')).toBe('conflict');
        expect(
          await outcome({
            documents: [put(userKey('new'), 'new')],
            records: [{ kind: 'overlay', name: 'a', expected: 'zero' }],
          }),
        ).toBe('conflict');
        expect(await store.document(userKey('new'))).toBeUndefined();
        expect(await write('overlay', 'a', 'two', 'one')).toBe('committed');
        expect(await store.record('overlay', 'a')).toBe('two');
      });

      test('records of a kind are listed by name, a page at a time', async () => {
        for (const name of ['c', 'a', 'b']) await write('overlay', name, name.toUpperCase());
        await write('policy', 'd', 'D');
        expect(await store.records('overlay')).toEqual([
          { name: 'a', value: 'A' },
          { name: 'b', value: 'B' },
          { name: 'c', value: 'C' },
        ]);
        expect(await store.records('overlay', { after: 'a', limit: 1 })).toEqual([{ name: 'b', value: 'B' }]);
      });
    });

    describe('the chain of the journal', () => {
      const write = (...subjects: readonly string[]): Promise<unknown> =>
        store.commit({ journal: subjects.map((one) => ({ ...entry(one), detail: { by: one } })) });
      const past = '2000-01-01T00:00:00.000Z';

      test('holds from the first entry to the last, over commits, restarts and what was taken back', async () => {
        expect(await verifyJournal(store)).toMatchObject({ intact: true, entries: 0 });
        await write('a', 'b');
        await store.commit({ documents: [put(userKey('x'), 'x', 'absent')], journal: [entry('not written')] });
        await Promise.all([
          write('c'),
          store.commit({ documents: [put(userKey('x'), 'x', 'absent')], journal: [entry('not written')] }),
          write('d'),
        ]);
        await reopen();
        await write('e');
        expect(await verifyJournal(store)).toMatchObject({ intact: true, entries: 5, first: 1, last: 5 });
      });

      test('an anchor kept elsewhere is found again, and a forged one is not', async () => {
        await write('a', 'b');
        const { anchor } = await verifyJournal(store);
        await write('c');
        expect(await verifyJournal(store, anchor)).toMatchObject({ intact: true, entries: 3 });
        expect(await verifyJournal(store, { ...anchor, hash: 'x'.repeat(43) })).toMatchObject({
          intact: false,
          broken: { sequence: 2 },
        });
        expect(await verifyJournal(store, { ...anchor, sequence: 7 })).toMatchObject({ broken: { sequence: 4 } });
      });

      test('holds after old entries were removed, also when all were', async () => {
        await write('a', 'b', 'c');
        const { anchor } = await verifyJournal(store);
        await store.pruneJournal({ before: past, rows: 1, limit: 100 });
        expect(await verifyJournal(store, anchor)).toMatchObject({ intact: true, entries: 1, first: 3 });
        await store.pruneJournal({ before: past, rows: 0, limit: 100 });
        expect(await verifyJournal(store, anchor)).toMatchObject({ intact: true, entries: 0 });
        expect(await verifyJournal(store, { ...anchor, hash: 'x'.repeat(43) })).toMatchObject({ intact: false });
        await reopen();
        await write('d');
        expect(await verifyJournal(store)).toMatchObject({ intact: true, entries: 1, first: 4, last: 4 });
      });

      test('entries that are still wanted are not removed for one behind them that is old', async () => {
        await write('a');
        await store.commit({ journal: [{ ...entry('old'), at: past }] });
        await write('b');
        expect(await store.pruneJournal({ before: '2020-01-01T00:00:00.000Z', rows: 100, limit: 100 })).toBe(0);
        expect(await store.journal()).toHaveLength(3);
      });

      test('a person is taken out of every text that names it, and of no other; the chain holds', async () => {
        const person = 'sip:alice@red.example';
        await store.commit({
          journal: [
            { ...entry('sip:alpha@red.example'), actor: person, detail: { size: 1 } },
            { ...entry('resource-lists/users/SIP:Alice@red.example/index'), detail: { tag: 'x' } },
            { ...entry('a'), detail: { node: 'entry[@uri="sip%3Aalice%40red.example"]' } },
            { ...entry('a'), actor: 'sip:alice@red.example.org', detail: { who: 'sip:alice@red.example2' } },
          ],
        });
        const before = await store.journalChain(0, 10);
        const { anchor } = await verifyJournal(store);
        expect(await store.eraseJournal({ texts: [person], after: 0, limit: 10 })).toEqual({ last: 4, erased: 3 });
        expect(await store.eraseJournal({ texts: [person], after: 0, limit: 10 })).toEqual({ last: 4, erased: 0 });
        await reopen();
        const left = await store.journal();
        expect(left.map(({ actor, subject, detail }) => [actor, subject, detail])).toEqual([
          ['(erased)', 'sip:alpha@red.example', { size: 1 }],
          ['sip:admin@red.example', '(erased)', { tag: 'x' }],
          ['sip:admin@red.example', 'a', undefined],
          ['sip:alice@red.example.org', 'a', { who: 'sip:alice@red.example2' }],
        ]);
        expect(await verifyJournal(store, anchor)).toMatchObject({ intact: true, entries: 4, erased: 3 });
        // Without its salt a digest confirms no guess.
        const [first] = await store.journalChain(0, 1);
        expect(first?.salt.slice(0, 16)).toBe('-'.repeat(16));
        expect(before[0]?.salt).not.toContain('----------------');
        await write('b');
        expect(await verifyJournal(store, anchor)).toMatchObject({ intact: true, entries: 5 });
      });
    });

    describe('life', () => {
      test('everything committed is there after reopening', async () => {
        await store.commit({
          documents: [put(userKey('a'), 'one', null, 'sip:a@red.example')],
          sources: [{ write: 'put', source: source('sip:g@red.example', 'red', 'one') }],
          deliveries: [
            { write: 'queue', delivery: { partner: 'blue', groupId: 'sip:a@red.example', action: 'provide' } },
          ],
          subscriptions: [{ write: 'put', subscription: { id: 's', expires: 5, state: '{}' } }],
          journal: [entry('a')],
        });
        await reopen();
        expect((await store.groupDocument('sip:a@red.example'))?.tag).toBe('tag-one');
        expect(await store.source('sip:g@red.example')).toBeDefined();
        expect(await store.deliveries()).toHaveLength(1);
        expect(await store.subscriptions()).toHaveLength(1);
        expect(await store.journal()).toHaveLength(1);
      });

      test('close finishes the commits that wait', async () => {
        const pending = store.commit({ documents: [put(userKey('a'), 'one', null)] });
        await store.close();
        expect((await pending).outcome).toBe('committed');
        store = await open(directory, clock);
        expect(await store.document(userKey('a'))).toBeDefined();
      });

      test('a closed store refuses, and closing twice is harmless', async () => {
        await store.close();
        await store.close();
        await expect(store.document(userKey('a'))).rejects.toThrow('closed');
        await expect(store.commit({})).rejects.toThrow('closed');
      });

      test('an empty commit is a commit', async () => {
        expect(await outcome({})).toBe('committed');
      });
    });
  });
}
