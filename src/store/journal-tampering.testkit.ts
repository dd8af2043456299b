// Whoever writes to the journal behind the gateway's back is found by its chain, and the first wrong entry is named. Runs against any engine.

import { beforeEach, describe, expect, test } from '@jest/globals';
import { entryHash } from './journal-chain.ts';
import { type JournalVerdict, verifyJournal } from './journal-verify.ts';
import type { JournalEntry, Store } from './store.ts';

/** One store, and a way into its tables past the gateway. */
export interface TamperedEngine {
  /** Opens the store, again after a close. */
  readonly open: () => Promise<Store>;
  /** Runs SQL statements while the store is closed. */
  readonly tamper: (sql: string) => Promise<void>;
}

/** An entry of the journal that names a user and a group by number. */
export function numberedEntry(number: number): JournalEntry {
  return {
    at: '2026-01-02T03:04:05.000Z',
    actor: `sip:user${number}@red.example`,
    action: 'document-put',
    subject: `sip:group${number}@red.example`,
    detail: { tag: `t${number}` },
  };
}

/** Writes so many numbered entries, from 1 on. */
export async function filled(engine: TamperedEngine, entries = 10): Promise<void> {
  const store = await engine.open();
  await store.commit({ journal: Array.from({ length: entries }, (_, number) => numberedEntry(number + 1)) });
  await store.close();
}

/** What verification says. */
export async function verdictOf(engine: TamperedEngine, anchor?: JournalVerdict['anchor']): Promise<JournalVerdict> {
  const store = await engine.open();
  try {
    return await verifyJournal(store, anchor);
  } finally {
    await store.close();
  }
}

/** Runs the tests against the fresh store that `fresh` makes for each of them. */
export function describeTampering(name: string, fresh: () => Promise<TamperedEngine>): void {
  describe(`${name}: the first entry that is not as it was written is named`, () => {
    let engine: TamperedEngine;
    beforeEach(async () => {
      engine = await fresh();
      await filled(engine);
    });

    test.each([
      ['a changed actor', "UPDATE journal SET actor = 'sip:x@red.example' WHERE sequence = 4", 4],
      ['a changed action', "UPDATE journal SET action = 'x' WHERE sequence = 5", 5],
      ['a changed time', "UPDATE journal SET at = '2027' WHERE sequence = 1", 1],
      ['a changed detail', "UPDATE journal SET detail = '{}' WHERE sequence = 10", 10],
      ['a detail that was taken away', 'UPDATE journal SET detail = NULL WHERE sequence = 10', 10],
      ['an actor that was taken away', 'UPDATE journal SET actor = NULL WHERE sequence = 3', 3],
      ['a changed salt', "UPDATE journal SET salt = replace(salt, substr(salt, 1, 1), '_x') WHERE sequence = 2", 2],
      ['a changed hash', "UPDATE journal SET hash = 'x' WHERE sequence = 6", 6],
      ['an entry removed in the middle', 'DELETE FROM journal WHERE sequence = 4', 4],
      ['the first entry removed', 'DELETE FROM journal WHERE sequence = 1', 1],
      ['the last entry removed', 'DELETE FROM journal WHERE sequence = 10', 10],
      ['all entries removed', 'DELETE FROM journal', 1],
      ['the ends of the chain removed', 'DELETE FROM journal_end', 1],
      [
        'two entries exchanged',
        'UPDATE journal SET sequence = CASE sequence WHEN 4 THEN -5 ELSE -4 END WHERE sequence IN (4, 5); UPDATE journal SET sequence = -sequence WHERE sequence < 0',
        4,
      ],
      [
        'something else under the digest of an erased text',
        `UPDATE journal SET erased = '{"actor":"x"}', actor = 'sip:x@red.example' WHERE sequence = 7`,
        7,
      ],
      [
        'a character moved from a salt to the text behind it',
        'UPDATE journal SET detail = substr(salt, 43) || detail, salt = substr(salt, 1, 42) WHERE sequence = 4',
        4,
      ],
      ['a longer salt', "UPDATE journal SET salt = salt || 'x' WHERE sequence = 4", 4],
      ['digests that cannot be read', "UPDATE journal SET erased = '{' WHERE sequence = 4", 4],
      ['digests that are none', "UPDATE journal SET erased = 'null' WHERE sequence = 4", 4],
      [
        'an entry added behind the end',
        "INSERT INTO journal (sequence, at, action, actor, subject, salt, hash) VALUES (11, '', '', '', '', '', '')",
        11,
      ],
    ])('%s', async (_, sql, sequence) => {
      await engine.tamper(sql);
      const { intact, broken } = await verdictOf(engine);
      expect([intact, broken?.sequence]).toEqual([false, sequence]);
    });

    test('a detail that cannot be read hides no other entry', async () => {
      await engine.tamper("UPDATE journal SET detail = '{bad' WHERE sequence = 4");
      const store = await engine.open();
      const found = await store.journal();
      await store.close();
      expect(found).toHaveLength(10);
      expect(found[3]?.detail).toEqual({ unreadable: '{bad' });
    });

    test('an anchor older than what is kept is said to prove nothing', async () => {
      const store = await engine.open();
      const [third] = await store.journalChain(2, 1);
      if (third === undefined) throw new Error('three entries were written');
      const anchor = { sequence: 3, hash: third.hash };
      expect(await verifyJournal(store, anchor)).not.toHaveProperty('anchorRemoved');
      await store.pruneJournal({ before: '', rows: 4, limit: 100 });
      expect(await verifyJournal(store, anchor)).toMatchObject({ intact: true, entries: 4, anchorRemoved: true });
      await store.close();
    });

    test('an entry that was hashed anew is told by the next one', async () => {
      const store = await engine.open();
      const [third, fourth] = await store.journalChain(2, 2);
      await store.close();
      if (third === undefined || fourth === undefined) throw new Error('two entries were written');
      const forged = entryHash(third.hash, { ...fourth, action: 'forged' });
      await engine.tamper(`UPDATE journal SET action = 'forged', hash = '${forged}' WHERE sequence = 4`);
      expect(await verdictOf(engine)).toMatchObject({ intact: false, broken: { sequence: 5 } });
    });

    test('a removed end stays visible after more was written', async () => {
      await engine.tamper('DELETE FROM journal WHERE sequence > 8');
      const store = await engine.open();
      await store.commit({ journal: [numberedEntry(11)] });
      await store.close();
      expect(await verdictOf(engine)).toMatchObject({ intact: false, broken: { sequence: 9 } });
    });

    test('an entry added behind the end stops no commit and stays visible', async () => {
      await engine.tamper(
        "INSERT INTO journal (sequence, at, action, actor, subject, salt, hash) VALUES (11, '', '', '', '', '', '')",
      );
      const store = await engine.open();
      expect(await store.commit({ journal: [numberedEntry(12)] })).toMatchObject({ outcome: 'committed' });
      await store.close();
      expect(await verdictOf(engine)).toMatchObject({ intact: false, broken: { sequence: 11 } });
    });

    test('an end that was removed and sealed anew is found by an anchor kept elsewhere, and by nothing else', async () => {
      const { anchor } = await verdictOf(engine);
      await engine.tamper(`DELETE FROM journal WHERE sequence > 8;
      UPDATE journal_end SET sequence = 8, hash = (SELECT hash FROM journal WHERE sequence = 8) WHERE name = 'head'`);
      expect(await verdictOf(engine)).toMatchObject({ intact: true });
      expect(await verdictOf(engine, anchor)).toMatchObject({ intact: false, broken: { sequence: 9 } });
    });
  });
}
