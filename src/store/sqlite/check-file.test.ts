import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { storeFileProblem } from './check-file.ts';
import { openSqliteStore } from './sqlite-store.ts';

let home: string;
let file: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'mcgw-check-'));
  file = join(home, 'store.db');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('a file that can be created is no problem, and is not created', () => {
  const deep = join(home, 'a', 'b', 'store.db');
  expect(storeFileProblem(deep)).toBeUndefined();
  expect(existsSync(join(home, 'a'))).toBe(false);
});

test('our store is no problem: closed, and as a crash leaves it', async () => {
  const store = await openSqliteStore(file);
  const entry = { at: '', actor: 'system', action: 'document-put', subject: 'x' };
  await store.commit({ journal: [entry] });
  const crashed = join(home, 'crashed.db');
  copyFileSync(file, crashed);
  await store.close();
  expect(storeFileProblem(file)).toBeUndefined();
  expect(storeFileProblem(crashed)).toBeUndefined();
});

test('an empty file is no problem', () => {
  writeFileSync(file, '');
  expect(storeFileProblem(file)).toBeUndefined();
});

test('text, a folder and a database of another program are', () => {
  writeFileSync(file, 'no store'.repeat(100));
  expect(storeFileProblem(file)).toBe(`${file} is not a SQLite database`);
  const folder = join(home, 'folder');
  mkdirSync(folder);
  expect(storeFileProblem(folder)).toBe(`${folder} is no file`);
  const other = join(home, 'other.db');
  const database = new DatabaseSync(other);
  database.exec('CREATE TABLE theirs (x)');
  database.close();
  expect(storeFileProblem(other)).toBe(`${other} is a database of another program`);
});

test('a store of a newer release is told', async () => {
  await (await openSqliteStore(file)).close();
  const database = new DatabaseSync(file);
  database.exec('PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
  expect(storeFileProblem(file)).toBe(`${file} is a store of a newer release`);
});

test('a place where nothing can be created is told', () => {
  expect(storeFileProblem('/proc/x/y.db')).toMatch(/^\/proc\/x\/y\.db cannot be created: E/);
  writeFileSync(file, '');
  expect(storeFileProblem(join(file, 'y.db'))).toMatch(/cannot be/);
});
