// The tables of the SQLite store, as the list of steps that lead from an empty file to the current version.
// A released step never changes; a new version appends one.

import type { DatabaseSync } from 'node:sqlite';
import { type ChainLink, chainStart, entryHash, newSalt } from '../journal-chain.ts';
import { StoreError } from '../store-error.ts';

/** Marks a SQLite file as ours: "MCGW". */
export const applicationId = 0x4d434757;

const first = `
  CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO counter (name, value) VALUES ('sequence', 0);

  -- bytes stands last: a listing never reads the overflow pages behind it
  CREATE TABLE document (
    id INTEGER PRIMARY KEY,
    auid TEXT NOT NULL,
    tree TEXT NOT NULL CHECK (tree IN ('users', 'global')),
    xui TEXT NOT NULL,
    name TEXT NOT NULL,
    tag TEXT NOT NULL,
    group_id TEXT,
    modified TEXT NOT NULL,
    size INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (auid, tree, xui, name)
  ) STRICT;
  CREATE UNIQUE INDEX document_group ON document (group_id) WHERE group_id IS NOT NULL;

  CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    group_id TEXT NOT NULL UNIQUE,
    partner TEXT NOT NULL,
    tag TEXT NOT NULL,
    primary_tag TEXT,
    policy TEXT NOT NULL,
    policy_version INTEGER NOT NULL,
    applied_rules TEXT NOT NULL,
    received TEXT NOT NULL,
    stale_since TEXT,
    bytes BLOB NOT NULL
  ) STRICT;
  CREATE INDEX source_partner ON source (partner, group_id);

  CREATE TABLE delivery (
    partner TEXT NOT NULL,
    group_id TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('provide', 'withdraw')),
    state TEXT NOT NULL CHECK (state IN ('queued', 'delivered', 'parked')),
    sequence INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    not_before TEXT,
    partner_tag TEXT,
    outcome TEXT,
    queued TEXT NOT NULL,
    PRIMARY KEY (partner, group_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX delivery_due ON delivery (partner, state, sequence);

  CREATE TABLE subscription (
    id TEXT PRIMARY KEY,
    expires REAL NOT NULL,
    state TEXT NOT NULL
  ) STRICT;

  -- AUTOINCREMENT: a number never comes back, even when old entries are removed
  CREATE TABLE journal (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT
  ) STRICT;
  CREATE INDEX journal_subject ON journal (subject, sequence);
`;

const second = `
  ALTER TABLE source ADD COLUMN held_since TEXT;
  ALTER TABLE source ADD COLUMN sent TEXT;

  -- a CHECK cannot be altered, so the table is written anew
  CREATE TABLE delivery_anew (
    partner TEXT NOT NULL,
    group_id TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('provide', 'withdraw')),
    state TEXT NOT NULL CHECK (state IN ('queued', 'delivered', 'parked', 'braked')),
    sequence INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    not_before TEXT,
    partner_tag TEXT,
    outcome TEXT,
    queued TEXT NOT NULL,
    PRIMARY KEY (partner, group_id)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO delivery_anew SELECT * FROM delivery;
  DROP TABLE delivery;
  ALTER TABLE delivery_anew RENAME TO delivery;
  CREATE INDEX delivery_due ON delivery (partner, state, sequence);
`;

const third = `
  -- regroup markers overtake what is only bulk
  ALTER TABLE delivery ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;
  DROP INDEX delivery_due;
  CREATE INDEX delivery_due ON delivery (partner, state, urgent DESC, sequence);
  CREATE INDEX delivery_waiting ON delivery (partner, state, not_before);

  -- what is served while newer bytes are held was made of these
  ALTER TABLE source ADD COLUMN released BLOB;

  CREATE TABLE memo (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

const fourth = `
  CREATE TABLE record (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT;

  -- actor, subject and detail can name a person: each can be erased, its digest then stands in erased
  CREATE TABLE journal_anew (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT,
    action TEXT NOT NULL,
    subject TEXT,
    detail TEXT,
    salt TEXT NOT NULL,
    hash TEXT NOT NULL,
    erased TEXT
  ) STRICT;

  -- base: the last entry that was removed, head: the last entry
  CREATE TABLE journal_end (
    name TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

interface FormerEntry {
  readonly sequence: number;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: string | null;
}

// The entries of before are chained as they stand, from the first one that is still there.
function chainJournal(database: DatabaseSync): void {
  database.exec(fourth);
  const insert = database.prepare(
    'INSERT INTO journal_anew (sequence, at, actor, action, subject, detail, salt, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const end = database.prepare('INSERT INTO journal_end (name, sequence, hash) VALUES (?, ?, ?)');
  const known = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").get()?.seq ?? 0;
  let head: ChainLink = { sequence: 0, hash: chainStart };
  let base: ChainLink | undefined;
  for (const row of database.prepare('SELECT * FROM journal ORDER BY sequence').iterate()) {
    const { sequence, at, actor, action, subject, detail } = row as unknown as FormerEntry;
    base ??= { sequence: sequence - 1, hash: chainStart };
    const salt = newSalt();
    const hash = entryHash(head.hash, { sequence, at, actor, action, subject, detail, salt, erased: {} });
    insert.run(sequence, at, actor, action, subject, detail, salt, hash);
    head = { sequence, hash };
  }
  // When all entries have been removed, their numbers still do not come back.
  base ??= { sequence: Number(known), hash: chainStart };
  if (head.sequence < base.sequence) head = base;
  end.run('base', base.sequence, base.hash);
  end.run('head', head.sequence, head.hash);
  database.exec(`
    DROP TABLE journal;
    ALTER TABLE journal_anew RENAME TO journal;
    CREATE INDEX journal_subject ON journal (subject, sequence);
  `);
}

// What every look at all sources needs stands in the index: the rows are spread over as many pages as there are documents
const fifth = `
  CREATE INDEX source_state ON source (partner, group_id, received, stale_since, held_since);
  DROP INDEX source_partner;
`;

// Few documents of groups have no group ID, and they are looked for among all
const sixth = `
  CREATE INDEX document_without_group ON document (auid, tree, xui, name) WHERE group_id IS NULL;
`;

/** A script, or what has to compute something. */
export type Migration = string | ((database: DatabaseSync) => void);

/** Applying number n leads from version n to version n + 1. */
export const migrations: readonly Migration[] = [first, second, third, chainJournal, fifth, sixth];

/**
 * Brings an open database to the version after the last of `steps`, in one transaction: all steps or none.
 * Throws StoreError `not-a-store` for a foreign database and `newer-version` for one of a newer release.
 */
export function migrate(database: DatabaseSync, file: string, steps: readonly Migration[] = migrations): void {
  const version = pragma(database, 'user_version');
  if (pragma(database, 'application_id') !== applicationId && !isEmpty(database, version)) {
    throw new StoreError('not-a-store', `${file}: this is a database of another program`);
  }
  if (version > steps.length) {
    throw new StoreError(
      'newer-version',
      `${file}: the store has version ${version}, this release knows up to ${steps.length}; start a newer release`,
    );
  }
  if (version === steps.length) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const step of steps.slice(version)) {
      if (typeof step === 'string') database.exec(step);
      else step(database);
    }
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${steps.length}`);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function pragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}

function isEmpty(database: DatabaseSync, version: number): boolean {
  return version === 0 && database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
}
