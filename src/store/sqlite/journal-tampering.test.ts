// Whoever writes to the file behind the gateway's back is found by the chain of the journal, and the first wrong entry is named.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { entryHash } from '../journal-chain.ts';
import { type JournalVerdict, verifyJournal } from '../journal-verify.ts';
import type { JournalEntry } from '../store.ts';
import { migrate, migrations } from './migrations.ts';
import { openSqliteStore } from './sqlite-store.ts';

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'journal-'));
  file = join(directory, 'store.db');
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

const entry = (number: number): JournalEntry => ({
  at: '2026-01-02T03:04:05.000Z',
  actor: `sip:user${number}@red.example`,
  action: 'document-put',
  subject: `sip:group${number}@red.example`,
  detail: { tag: `t${number}` },
});

async function filled(entries = 10): Promise<void> {
  const store = await openSqliteStore(file);
  await store.commit({ journal: Array.from({ length: entries }, (_, number) => entry(number + 1)) });
  await store.close();
}

function tamper(sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

async function verdict(anchor?: JournalVerdict['anchor']): Promise<JournalVerdict> {
  const store = await openSqliteStore(file);
  try {
    return await verifyJournal(store, anchor);
  } finally {
    await store.close();
  }
}

describe('the first entry that is not as it was written is named', () => {
  beforeEach(() => filled());

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
      "INSERT INTO journal (at, action, actor, subject, salt, hash) VALUES ('', '', '', '', '', '')",
      11,
    ],
  ])('%s', async (_, sql, sequence) => {
    tamper(sql);
    const { intact, broken } = await verdict();
    expect([intact, broken?.sequence]).toEqual([false, sequence]);
  });

  test('a detail that cannot be read hides no other entry', async () => {
    tamper("UPDATE journal SET detail = '{bad' WHERE sequence = 4");
    const store = await openSqliteStore(file);
    const found = await store.journal();
    await store.close();
    expect(found).toHaveLength(10);
    expect(found[3]?.detail).toEqual({ unreadable: '{bad' });
  });

  test('an anchor older than what is kept is said to prove nothing', async () => {
    const store = await openSqliteStore(file);
    const [third] = await store.journalChain(2, 1);
    if (third === undefined) throw new Error('three entries were written');
    const anchor = { sequence: 3, hash: third.hash };
    expect(await verifyJournal(store, anchor)).not.toHaveProperty('anchorRemoved');
    await store.pruneJournal({ before: '', rows: 4, limit: 100 });
    expect(await verifyJournal(store, anchor)).toMatchObject({ intact: true, entries: 4, anchorRemoved: true });
    await store.close();
  });

  test('an entry that was hashed anew is told by the next one', async () => {
    const store = await openSqliteStore(file);
    const [third, fourth] = await store.journalChain(2, 2);
    await store.close();
    if (third === undefined || fourth === undefined) throw new Error('two entries were written');
    const forged = entryHash(third.hash, { ...fourth, action: 'forged' });
    tamper(`UPDATE journal SET action = 'forged', hash = '${forged}' WHERE sequence = 4`);
    expect(await verdict()).toMatchObject({ intact: false, broken: { sequence: 5 } });
  });

  test('a removed end stays visible after more was written', async () => {
    tamper('DELETE FROM journal WHERE sequence > 8');
    const store = await openSqliteStore(file);
    await store.commit({ journal: [entry(11)] });
    await store.close();
    expect(await verdict()).toMatchObject({ intact: false, broken: { sequence: 9 } });
  });

  test('an entry added behind the end stops no commit and stays visible', async () => {
    tamper("INSERT INTO journal (at, action, actor, subject, salt, hash) VALUES ('', '', '', '', '', '')");
    const store = await openSqliteStore(file);
    expect(await store.commit({ journal: [entry(12)] })).toMatchObject({ outcome: 'committed' });
    await store.close();
    expect(await verdict()).toMatchObject({ intact: false, broken: { sequence: 11 } });
  });

  test('an end that was removed and sealed anew is found by an anchor kept elsewhere, and by nothing else', async () => {
    const { anchor } = await verdict();
    tamper(`DELETE FROM journal WHERE sequence > 8;
      UPDATE journal_end SET sequence = 8, hash = (SELECT hash FROM journal WHERE sequence = 8) WHERE name = 'head'`);
    expect(await verdict()).toMatchObject({ intact: true });
    expect(await verdict(anchor)).toMatchObject({ intact: false, broken: { sequence: 9 } });
  });
});

test('what was erased is on no page of the file nor of its log', async () => {
  await filled(200);
  const store = await openSqliteStore(file);
  const { erased } = await store.eraseJournal({ texts: ['sip:user77@red.example'], after: 0, limit: 1000 });
  expect(erased).toBe(1);
  const log = await readFile(`${file}-wal`);
  await store.close();
  for (const bytes of [await readFile(file), log]) {
    expect(bytes.includes('sip:user77@red.example')).toBe(false);
  }
  expect((await readFile(file)).includes('sip:user78@red.example')).toBe(true);
});

test.each([
  ['erased', 5000],
  ['removed by retention before', 300],
])('of a person that stood in many places nothing is left in the file: %s', async (_, rows) => {
  const person = (number: number): string => `sip:person${number % 37}@red.example`;
  const store = await openSqliteStore(file);
  for (let from = 0; from < 2000; from += 50) {
    const journal = Array.from({ length: 50 }, (__, place) => {
      const number = from + place;
      const subject = `resource-lists/users/${person(number * 7)}/index${number}`;
      const detail = { path: `x/${person(number * 3)}`, cause: 'y'.repeat(number % 11 === 0 ? 6000 : 20) };
      return { ...entry(number), actor: person(number), subject, detail };
    });
    await store.commit({ journal });
  }
  await store.pruneJournal({ before: '', rows, limit: 5000 });
  await store.eraseJournal({ texts: ['sip:person5@red.example'], after: 0, limit: 5000 });
  await store.close();
  const bytes = await readFile(file);
  expect(bytes.includes('sip:person6@red.example')).toBe(true);
  expect(bytes.includes('sip:person5@red.example')).toBe(false);
});

test('a journal of before is chained as it stands when its file is opened', async () => {
  const database = new DatabaseSync(file);
  migrate(database, file, migrations.slice(0, 3));
  const insert = database.prepare('INSERT INTO journal (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)');
  for (let number = 1; number <= 5; number++) {
    insert.run('2026-01-02T03:04:05.000Z', 'system', 'document-put', `s${number}`, number === 2 ? '{"a":1}' : null);
  }
  database.exec('DELETE FROM journal WHERE sequence = 1');
  database.close();
  expect(await verdict()).toMatchObject({ intact: true, entries: 4, first: 2, last: 5 });
  const store = await openSqliteStore(file);
  await store.commit({ journal: [entry(6)] });
  const found = await store.journal();
  expect(found.map(({ sequence, subject }) => `${sequence} ${subject}`)).toEqual([
    '2 s2',
    '3 s3',
    '4 s4',
    '5 s5',
    '6 sip:group6@red.example',
  ]);
  expect(found[0]?.detail).toEqual({ a: 1 });
  await store.close();
  expect(await verdict()).toMatchObject({ intact: true, entries: 5 });
});

test('numbers of a journal of before that was emptied do not come back', async () => {
  const database = new DatabaseSync(file);
  migrate(database, file, migrations.slice(0, 3));
  database.exec("INSERT INTO journal (at, actor, action, subject) VALUES ('', '', '', ''); DELETE FROM journal");
  database.close();
  const store = await openSqliteStore(file);
  await store.commit({ journal: [entry(2)] });
  expect((await store.journal())[0]?.sequence).toBe(2);
  await store.close();
  expect(await verdict()).toMatchObject({ intact: true, entries: 1 });
});
