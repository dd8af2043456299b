// The tables of the PostgreSQL store, as the list of steps that lead from an empty schema to the current version.
// A released step never changes; a new version appends one. Names and columns are those of the SQLite store.

import type { Session } from './session.ts';

/** What our marker says who we are. */
export const programName = 'mc-group-gateway';

const text = 'text COLLATE "C"';

const first = `
  -- one row. stamp: of the last transaction that wrote; whoever writes replaces the one it knows
  CREATE TABLE gateway_store (
    program ${text} NOT NULL,
    version integer NOT NULL,
    sequence bigint NOT NULL,
    stamp ${text} NOT NULL
  );
  CREATE UNIQUE INDEX gateway_store_one ON gateway_store ((true));
  INSERT INTO gateway_store (program, version, sequence, stamp) VALUES ('${programName}', 0, 0, '');

  CREATE TABLE document (
    auid ${text} NOT NULL,
    tree ${text} NOT NULL CHECK (tree IN ('users', 'global')),
    xui ${text} NOT NULL,
    name ${text} NOT NULL,
    tag ${text} NOT NULL,
    group_id ${text},
    modified ${text} NOT NULL,
    size bigint NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (auid, tree, xui, name)
  );
  CREATE UNIQUE INDEX document_group ON document (group_id) WHERE group_id IS NOT NULL;
  CREATE INDEX document_without_group ON document (auid, tree, xui, name) WHERE group_id IS NULL;

  CREATE TABLE source (
    group_id ${text} PRIMARY KEY,
    partner ${text} NOT NULL,
    tag ${text} NOT NULL,
    primary_tag ${text},
    policy ${text} NOT NULL,
    policy_version bigint NOT NULL,
    applied_rules ${text} NOT NULL,
    received ${text} NOT NULL,
    stale_since ${text},
    held_since ${text},
    sent ${text},
    bytes bytea NOT NULL,
    released bytea
  );
  CREATE INDEX source_partner ON source (partner, group_id);

  CREATE TABLE delivery (
    partner ${text} NOT NULL,
    group_id ${text} NOT NULL,
    action ${text} NOT NULL CHECK (action IN ('provide', 'withdraw')),
    state ${text} NOT NULL CHECK (state IN ('queued', 'delivered', 'parked', 'braked')),
    sequence bigint NOT NULL,
    attempts bigint NOT NULL,
    not_before ${text},
    partner_tag ${text},
    outcome ${text},
    queued ${text} NOT NULL,
    urgent smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (partner, group_id)
  );
  CREATE INDEX delivery_due ON delivery (partner, state, urgent DESC, sequence, group_id);
  CREATE INDEX delivery_waiting ON delivery (partner, state, not_before NULLS FIRST, sequence);

  CREATE TABLE subscription (
    id ${text} PRIMARY KEY,
    expires double precision NOT NULL,
    state ${text} NOT NULL
  );

  CREATE TABLE memo (
    name ${text} PRIMARY KEY,
    value ${text} NOT NULL
  );

  CREATE TABLE record (
    kind ${text} NOT NULL,
    name ${text} NOT NULL,
    value ${text} NOT NULL,
    PRIMARY KEY (kind, name)
  );
  -- pg_stats shows texts of the columns that it knows: nothing of an erased person may stand there
  ALTER TABLE record ALTER COLUMN value SET STATISTICS 0;
  ALTER TABLE memo ALTER COLUMN value SET STATISTICS 0;

  -- actor, subject and detail can name a person: each can be erased, its digest then stands in erased
  CREATE TABLE journal (
    sequence bigint PRIMARY KEY,
    at ${text} NOT NULL,
    actor ${text},
    action ${text} NOT NULL,
    subject ${text},
    detail ${text},
    salt ${text} NOT NULL,
    hash ${text} NOT NULL,
    erased ${text}
  );
  -- the beginning only: a subject can be longer than an entry of an index
  CREATE INDEX journal_subject ON journal (left(subject, 200), sequence);
  ALTER TABLE journal
    ALTER COLUMN actor SET STATISTICS 0,
    ALTER COLUMN subject SET STATISTICS 0,
    ALTER COLUMN detail SET STATISTICS 0,
    ALTER COLUMN salt SET STATISTICS 0;
  ALTER INDEX journal_subject ALTER COLUMN 1 SET STATISTICS 0;

  -- base: the last entry that was removed, head: the last entry
  CREATE TABLE journal_end (
    name ${text} PRIMARY KEY,
    sequence bigint NOT NULL,
    hash ${text} NOT NULL
  );
  INSERT INTO journal_end (name, sequence, hash) VALUES ('base', 0, ''), ('head', 0, '');
`;

/** Number n leads from version n to version n + 1. */
export const migrations: readonly string[] = [first];

/** Brings the store of a session that holds its lock from `version` to the one after the last of `steps`: all steps or none. */
export async function migrate(session: Session, version: number, steps: readonly string[] = migrations): Promise<void> {
  if (version === steps.length) return;
  await session.query({ text: 'BEGIN' });
  try {
    for (const step of steps.slice(version)) await session.query({ text: step });
    await session.query({ text: `UPDATE gateway_store SET version = ${steps.length}` });
    await session.query({ text: 'COMMIT' });
  } catch (error) {
    if (!session.isLost) await session.query({ text: 'ROLLBACK' });
    throw error;
  }
}
