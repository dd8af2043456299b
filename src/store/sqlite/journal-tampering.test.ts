// The journal in a SQLite file: tampering, what is left on its pages of an erased person, and files of before.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  describeTampering,
  filled,
  numberedEntry,
  type TamperedEngine,
  verdictOf,
} from '../journal-tampering.testkit.ts';
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

const engine = (): TamperedEngine => ({
  open: () => openSqliteStore(file),
  tamper: async (sql) => {
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
  },
});

describeTampering('SQLite', async () => engine());

test('what was erased is on no page of the file nor of its log', async () => {
  await filled(engine(), 200);
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
      return { ...numberedEntry(number), actor: person(number), subject, detail };
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
  expect(await verdictOf(engine())).toMatchObject({ intact: true, entries: 4, first: 2, last: 5 });
  const store = await openSqliteStore(file);
  await store.commit({ journal: [numberedEntry(6)] });
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
  expect(await verdictOf(engine())).toMatchObject({ intact: true, entries: 5 });
});

test('numbers of a journal of before that was emptied do not come back', async () => {
  const database = new DatabaseSync(file);
  migrate(database, file, migrations.slice(0, 3));
  database.exec("INSERT INTO journal (at, actor, action, subject) VALUES ('', '', '', ''); DELETE FROM journal");
  database.close();
  const store = await openSqliteStore(file);
  await store.commit({ journal: [numberedEntry(2)] });
  expect((await store.journal())[0]?.sequence).toBe(2);
  await store.close();
  expect(await verdictOf(engine())).toMatchObject({ intact: true, entries: 1 });
});
