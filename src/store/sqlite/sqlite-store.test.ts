// What is particular to the SQLite store beyond the contract: one file, one owner, one fsync for many, crashes, upgrades.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { describeStore, put, userKey } from '../store.testkit.ts';
import { applicationId, migrate, migrations } from './migrations.ts';
import { openSqliteStore } from './sqlite-store.ts';

describeStore('SQLite', (directory, options) => openSqliteStore(join(directory, 'store.db'), options));

const writer = fileURLToPath(new URL('./writer.testkit.ts', import.meta.url));
type Child = ChildProcessByStdio<null, Readable, null>;

function startWriter(
  file: string,
  options: { readonly uid?: number; readonly blocks?: number; readonly size?: number } = {},
): Child {
  const command = `${options.blocks === undefined ? '' : `ulimit -f ${options.blocks}; `}exec "$0" "$@"`;
  const child = spawn('/bin/sh', ['-c', command, process.execPath, writer, file, String(options.size ?? 1000)], {
    stdio: ['ignore', 'pipe', 'ignore'],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  return child;
}

async function linesOf(
  child: Child,
  enough: (lines: readonly string[]) => boolean = () => false,
): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (enough(lines)) child.kill('SIGKILL');
  }
  return lines;
}

describe('the file of the SQLite store', () => {
  let directory: string;
  let file: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'store-sqlite-'));
    file = join(directory, 'deep', 'store.db');
  });

  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  test('its log is copied into the database between commits and does not grow with what is written', async () => {
    const store = await openSqliteStore(file);
    const large = (round: number): Uint8Array => new Uint8Array(2_000_000 + round * 10).fill(round);
    let tag: string | null = null;
    let longest = 0;
    for (let round = 0; round < 12; round++) {
      const document = { key: userKey('large'), tag: `tag-${round}`, bytes: large(round) };
      const outcome = await store.commit({ documents: [{ write: 'put', document, expected: tag }] });
      expect(outcome).toMatchObject({ outcome: 'committed' });
      tag = `tag-${round}`;
      await new Promise(setImmediate);
      longest = Math.max(longest, (await stat(`${file}-wal`)).size);
    }
    expect(longest).toBeLessThan(12_000_000);
    expect(Buffer.compare((await store.document(userKey('large')))?.bytes ?? new Uint8Array(), large(11))).toBe(0);
    await store.close();
  });

  test('it is created with its directories, for its owner alone, and so is its log', async () => {
    const store = await openSqliteStore(file);
    await store.commit({ documents: [put(userKey('a'), 'one')] });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(`${file}-wal`)).mode & 0o777).toBe(0o600);
    await store.close();
  });

  test('a second owner in this process is refused and does not disturb the first', async () => {
    const store = await openSqliteStore(file);
    await expect(openSqliteStore(file)).rejects.toMatchObject({
      reason: 'in-use',
      message: `${file}: the store is in use by another process`,
    });
    await store.commit({ documents: [put(userKey('a'), 'one', null)] });
    await expect(openSqliteStore(file)).rejects.toMatchObject({ reason: 'in-use' });
    await store.close();
    await (await openSqliteStore(file)).close();
  });

  test('a second owner in another process is refused', async () => {
    const store = await openSqliteStore(file);
    const child = startWriter(file);
    expect(await linesOf(child)).toEqual([`error StoreError: ${file}: the store is in use by another process`]);
    await store.close();
  });

  test('a file that is no database is refused by name and left as it is', async () => {
    const other = join(directory, 'letter.txt');
    await writeFile(other, 'Dear Sir or Madam, '.repeat(100));
    await expect(openSqliteStore(other)).rejects.toMatchObject({
      reason: 'not-a-store',
      message: `${other}: this is not a store of this gateway`,
    });
    expect((await stat(other)).size).toBe(1900);
  });

  test('a database of another program is refused by name', async () => {
    const other = join(directory, 'other.db');
    const database = new DatabaseSync(other);
    database.exec('CREATE TABLE bookmarks (url TEXT)');
    database.close();
    await expect(openSqliteStore(other)).rejects.toMatchObject({ reason: 'not-a-store' });
  });

  test('a directory that cannot be made is an error that names the file', async () => {
    const below = join(directory, 'plain-file', 'store.db');
    await writeFile(join(directory, 'plain-file'), '');
    await expect(openSqliteStore(below)).rejects.toMatchObject({
      reason: 'not-writable',
      message: expect.stringContaining(below),
    });
    await expect(openSqliteStore(join(directory, 'plain-file', 'deeper', 'store.db'))).rejects.toMatchObject({
      reason: 'not-writable',
    });
  });

  test('a place where the kernel makes no directory is an error at once', async () => {
    await expect(openSqliteStore('/proc/x/y.db')).rejects.toMatchObject({ reason: 'not-writable' });
  });

  test('a read-only directory is an error that names the file', async () => {
    await chmod(directory, 0o555);
    // Root writes everywhere: then the writer runs as nobody.
    const child = startWriter(join(directory, 'store.db'), process.getuid?.() === 0 ? { uid: 65534 } : {});
    const [line] = await linesOf(child);
    await chmod(directory, 0o755);
    expect(line).toMatch(`error StoreError: ${join(directory, 'store.db')}: the store cannot be created: EACCES`);
  });
});

describe('a writer that is cut short', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'store-cut-short-'));
  });

  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  test('a disk that cannot take more rejects the commits, and what was acknowledged stays', async () => {
    const file = join(directory, 'store.db');
    const lines = await linesOf(startWriter(file, { blocks: 4000, size: 20_000 }));
    expect(lines.at(-1)).toMatch(/^error StoreError: the store could not make a change durable: /);
    await expectAcknowledged(file, lines);
  });

  test('kill -9 while committing loses no acknowledged commit', async () => {
    const file = join(directory, 'store.db');
    for (const count of [200, 333]) {
      const child = startWriter(file);
      const ended = once(child, 'exit');
      const lines = await linesOf(child, (seen) => seen.length >= count);
      await ended;
      expect(lines.length).toBeGreaterThanOrEqual(count);
      await expectAcknowledged(file, lines);
    }
  });
});

async function expectAcknowledged(file: string, lines: readonly string[]): Promise<void> {
  const store = await openSqliteStore(file);
  const stored = new Set((await store.documents({})).map(({ key }) => key.name));
  const journalled = new Set((await store.journal()).map(({ subject }) => subject));
  const acknowledged = lines.filter((line) => line.startsWith('acknowledged ')).map((line) => line.slice(13));
  expect(acknowledged.length).toBeGreaterThan(0);
  expect(acknowledged.filter((name) => !stored.has(name))).toEqual([]);
  // Document and journal entry of a commit are there together or not at all, acknowledged or not.
  expect(stored).toEqual(journalled);
  await store.close();
}

describe('the version of the store', () => {
  const version = (database: DatabaseSync): unknown => database.prepare('PRAGMA user_version').get()?.user_version;
  const older = ['CREATE TABLE first (a TEXT) STRICT', "INSERT INTO first (a) VALUES ('kept')"];

  test('a newer one is refused by name', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'store-version-'));
    const file = join(directory, 'store.db');
    await (await openSqliteStore(file)).close();
    const database = new DatabaseSync(file);
    expect(version(database)).toBe(migrations.length);
    database.exec(`PRAGMA user_version = ${migrations.length + 1}`);
    database.close();
    await expect(openSqliteStore(file)).rejects.toMatchObject({
      reason: 'newer-version',
      message: `${file}: the store has version ${migrations.length + 1}, this release knows up to ${migrations.length}; start a newer release`,
    });
    await rm(directory, { recursive: true });
  });

  test('an older one is upgraded by the missing steps alone', () => {
    const database = new DatabaseSync(':memory:');
    migrate(database, 'memory', older);
    migrate(database, 'memory', [...older, 'ALTER TABLE first ADD COLUMN b TEXT', "UPDATE first SET b = 'new'"]);
    expect(version(database)).toBe(4);
    expect({ ...database.prepare('SELECT * FROM first').get() }).toEqual({ a: 'kept', b: 'new' });
    expect(database.prepare('PRAGMA application_id').get()?.application_id).toBe(applicationId);
  });

  test('an upgrade that fails leaves the older version whole', () => {
    const database = new DatabaseSync(':memory:');
    migrate(database, 'memory', older);
    expect(() => migrate(database, 'memory', [...older, 'CREATE TABLE second (a TEXT)', 'NONSENSE'])).toThrow(
      'NONSENSE',
    );
    expect(version(database)).toBe(2);
    expect(database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'second'").get()).toBeUndefined();
  });
});
