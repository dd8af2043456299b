// Opens the one file of the SQLite store: creates it for this user alone, takes it exclusively, sets durability, migrates.
// Whatever goes wrong becomes a StoreError that names the file and the reason.

import { closeSync, existsSync, fsyncSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolders } from '../../folders.ts';
import { StoreError } from '../store-error.ts';
import { migrate } from './migrations.ts';

/** How long to wait for a predecessor that is just closing, milliseconds. */
const lockPatience = 1_000;

/**
 * Opens or creates the database at `file`. Afterwards no other process can use it until it is closed or this process ends.
 * Throws StoreError `in-use`, `not-a-store`, `newer-version`, `not-writable` or `failed`.
 */
export function openDatabase(file: string): DatabaseSync {
  const path = resolve(file);
  createFile(path);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: lockPatience });
    // Exclusive before WAL: then SQLite keeps its WAL index in memory and holds the lock for good.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL');
    // NORMAL: SQLite syncs the log where it starts anew and is copied; after each transaction the commit queue does, off the event loop.
    database.exec('PRAGMA synchronous = NORMAL');
    // The commit queue checkpoints between commits; this is what happens when it never comes to that, in pages.
    database.exec('PRAGMA wal_autocheckpoint = 16384');
    database.exec('PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 67108864');
    // What moves within and between pages leaves no copy behind, so that a text that is erased later stands nowhere else.
    database.exec('PRAGMA secure_delete = FAST');
    database.exec('BEGIN IMMEDIATE; COMMIT');
    migrate(database, path);
    return database;
  } catch (error) {
    database?.close();
    throw error instanceof StoreError ? error : new StoreError(reasonOf(error), `${path}: ${explain(error)}`, error);
  }
}

/** Does what leaves nothing readable of what it removes, not even on pages of the file that become free. */
export function withoutTraces<Result>(database: DatabaseSync, work: () => Result): Result {
  // Not prepared beforehand: this pragma acts when it is compiled, not when it is run.
  database.exec('PRAGMA secure_delete = ON');
  try {
    return work();
  } finally {
    database.exec('PRAGMA secure_delete = FAST');
  }
}

/** Primary result code of an SQLite error, <https://www.sqlite.org/rescode.html>; undefined for other errors. */
export function resultCode(error: unknown): number | undefined {
  const extended = (error as { readonly errcode?: unknown } | null)?.errcode;
  return typeof extended === 'number' ? extended & 0xff : undefined;
}

/** Result codes that are told apart here. */
export const sqliteResult = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  cannotOpen: 14,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
  range: 25,
  notADatabase: 26,
} as const;

// An existing file is not opened here: closing that descriptor would drop the POSIX locks of a store open in this process.
function createFile(path: string): void {
  if (existsSync(path)) return;
  try {
    makeFolders(dirname(path), 0o700);
    closeSync(openSync(path, 'wx', 0o600));
    const directory = openSync(dirname(path), 'r');
    fsyncSync(directory);
    closeSync(directory);
  } catch (error) {
    throw new StoreError('not-writable', `${path}: the store cannot be created: ${messageOf(error)}`, error);
  }
}

function reasonOf(error: unknown): StoreError['reason'] {
  switch (resultCode(error)) {
    case sqliteResult.busy:
    case sqliteResult.locked:
      return 'in-use';
    case sqliteResult.notADatabase:
      return 'not-a-store';
    case sqliteResult.readOnly:
    case sqliteResult.cannotOpen:
      return 'not-writable';
    default:
      return 'failed';
  }
}

function explain(error: unknown): string {
  switch (reasonOf(error)) {
    case 'in-use':
      return 'the store is in use by another process';
    case 'not-a-store':
      return 'this is not a store of this gateway';
    case 'not-writable':
      return `the store cannot be opened for writing: ${messageOf(error)}`;
    default:
      return `the store cannot be opened: ${messageOf(error)}`;
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  const message = (error as { readonly message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : String(error);
}
