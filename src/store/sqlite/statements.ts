// Every SQL statement that the SQLite store runs, prepared once per open database.

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { prefixEnd } from '../prefix-end.ts';
import type { DeliveryRecord, DocumentFilter } from '../store.ts';

const keyIs = 'auid = ? AND tree = ? AND xui = ? AND name = ?';
const documentColumns = 'auid, tree, xui, name, tag, group_id, modified, size';
const stateColumns = 'group_id, partner, received, stale_since, held_since';
const sourceColumns =
  'group_id, partner, tag, primary_tag, policy, policy_version, applied_rules, received, stale_since, held_since, sent';

const sql = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  checkpoint: 'PRAGMA wal_checkpoint(PASSIVE)',
  rollback: 'ROLLBACK',
  savepoint: 'SAVEPOINT one',
  release: 'RELEASE one',
  rollbackToSavepoint: 'ROLLBACK TO one',

  sequence: "SELECT value FROM counter WHERE name = 'sequence'",
  setSequence: "UPDATE counter SET value = ? WHERE name = 'sequence'",

  document: `SELECT ${documentColumns}, bytes FROM document WHERE ${keyIs}`,
  groupDocument: `SELECT ${documentColumns}, bytes FROM document WHERE group_id = ?`,
  documentTag: `SELECT tag FROM document WHERE ${keyIs}`,
  groupHolder: 'SELECT auid, tree, xui, name FROM document WHERE group_id = ?',
  putDocument: `
    INSERT INTO document (auid, tree, xui, name, tag, group_id, modified, size, bytes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (auid, tree, xui, name) DO UPDATE SET
      tag = excluded.tag, group_id = excluded.group_id, modified = excluded.modified,
      size = excluded.size, bytes = excluded.bytes`,
  deleteDocument: `DELETE FROM document WHERE ${keyIs}`,

  source: `SELECT ${sourceColumns}, bytes, released FROM source WHERE group_id = ?`,
  sources: `SELECT ${sourceColumns} FROM source ORDER BY group_id`,
  sourcesOfPartner: `SELECT ${sourceColumns} FROM source WHERE partner = ? ORDER BY group_id`,
  sourceStates: `SELECT ${stateColumns} FROM source ORDER BY partner, group_id`,
  sourceStatesOfPartner: `SELECT ${stateColumns} FROM source WHERE partner = ? ORDER BY group_id`,
  sourceTag: 'SELECT tag FROM source WHERE group_id = ?',
  putSource: `
    INSERT INTO source (${sourceColumns}, bytes, released) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (group_id) DO UPDATE SET
      partner = excluded.partner, tag = excluded.tag, primary_tag = excluded.primary_tag, policy = excluded.policy,
      policy_version = excluded.policy_version, applied_rules = excluded.applied_rules, received = excluded.received,
      stale_since = excluded.stale_since, held_since = excluded.held_since, sent = excluded.sent, bytes = excluded.bytes,
      released = excluded.released`,
  deleteSource: 'DELETE FROM source WHERE group_id = ?',

  delivery: 'SELECT * FROM delivery WHERE partner = ? AND group_id = ?',
  dueDeliveries: `
    SELECT * FROM delivery
    WHERE partner = ? AND state = 'queued' AND (not_before IS NULL OR not_before <= ?)
    ORDER BY urgent DESC, sequence, group_id LIMIT ?`,
  waitingDeliveries: `
    SELECT * FROM delivery WHERE partner = ? AND state = 'queued' ORDER BY not_before LIMIT ?`,
  // What was urgent and did not arrive is urgent still, whatever replaces it.
  queueDelivery: `
    INSERT INTO delivery (partner, group_id, action, state, outcome, sequence, attempts, queued, urgent)
    VALUES (:partner, :groupId, :action, :state, :outcome, :sequence, 0, :queued, :urgent)
    ON CONFLICT (partner, group_id) DO UPDATE SET
      action = excluded.action, state = excluded.state, sequence = excluded.sequence, attempts = 0, not_before = NULL,
      outcome = excluded.outcome, queued = excluded.queued,
      urgent = CASE WHEN delivery.state = 'queued' THEN max(delivery.urgent, excluded.urgent) ELSE excluded.urgent END`,
  deliveryCounts: `
    SELECT partner, action, state, count(*) AS count, min(queued) AS oldest FROM delivery
    GROUP BY partner, action, state ORDER BY partner, action, state`,
  deliveryCountsOfPartner: `
    SELECT partner, action, state, count(*) AS count, min(queued) AS oldest FROM delivery WHERE partner = ?
    GROUP BY action, state ORDER BY action, state`,
  // A success tells the tag anew, even when it tells none; any other outcome leaves what the partner holds as it was.
  settleDelivery: `
    UPDATE delivery SET
      state = :state, attempts = :attempts, not_before = :notBefore, outcome = :outcome,
      partner_tag = CASE WHEN :state = 'delivered' THEN :partnerTag ELSE coalesce(:partnerTag, partner_tag) END
    WHERE partner = :partner AND group_id = :groupId AND sequence = :sequence`,
  dropDelivery: 'DELETE FROM delivery WHERE partner = ? AND group_id = ?',

  subscriptions: 'SELECT id, expires, state FROM subscription ORDER BY id',
  putSubscription: `
    INSERT INTO subscription (id, expires, state) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET expires = excluded.expires, state = excluded.state`,
  deleteSubscription: 'DELETE FROM subscription WHERE id = ?',

  memo: 'SELECT value FROM memo WHERE name = ?',
  putMemo: `
    INSERT INTO memo (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  deleteMemo: 'DELETE FROM memo WHERE name = ?',

  record: 'SELECT value FROM record WHERE kind = ? AND name = ?',
  records: 'SELECT name, value FROM record WHERE kind = ? AND name > ? ORDER BY name LIMIT ?',
  putRecord: `
    INSERT INTO record (kind, name, value) VALUES (?, ?, ?)
    ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value`,
  deleteRecord: 'DELETE FROM record WHERE kind = ? AND name = ?',

  appendJournal: `
    INSERT INTO journal (sequence, at, actor, action, subject, detail, salt, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  journalHead: "SELECT sequence, hash FROM journal_end WHERE name = 'head'",
  journalLast: 'SELECT max(sequence) AS sequence FROM journal',
  setJournalHead: "UPDATE journal_end SET sequence = ?, hash = ? WHERE name = 'head'",
  journalBase: "SELECT sequence, hash FROM journal_end WHERE name = 'base'",
  setJournalBase: "UPDATE journal_end SET sequence = ?, hash = ? WHERE name = 'base'",
  journalChain: 'SELECT * FROM journal WHERE sequence > ? ORDER BY sequence LIMIT ?',
  eraseJournal: `
    UPDATE journal SET actor = :actor, subject = :subject, detail = :detail, salt = :salt, erased = :erased
    WHERE sequence = :sequence`,
  truncateLog: 'PRAGMA wal_checkpoint(TRUNCATE)',
  // The oldest entries that are of no more use, up to the first that is: what is left is one piece.
  journalPruned: `
    WITH oldest AS (
      SELECT sequence, hash, at < :before OR sequence <= (SELECT max(sequence) FROM journal) - :rows AS useless
      FROM journal ORDER BY sequence LIMIT :limit)
    SELECT sequence, hash FROM oldest
    WHERE sequence < coalesce((SELECT min(sequence) FROM oldest WHERE NOT useless), 9223372036854775807)
    ORDER BY sequence DESC LIMIT 1`,
  pruneJournal: 'DELETE FROM journal WHERE sequence <= ?',
  journal: 'SELECT * FROM journal WHERE sequence > ? ORDER BY sequence LIMIT ?',
  journalOfSubject: 'SELECT * FROM journal WHERE subject = ? AND sequence > ? ORDER BY sequence LIMIT ?',
} as const;

/** The prepared statements by name. */
export type Statements = Readonly<Record<keyof typeof sql, StatementSync>>;

/** Prepares all statements on an open database. */
export function prepareStatements(database: DatabaseSync): Statements {
  const prepared = Object.entries(sql).map(([name, text]) => [name, database.prepare(text)]);
  return Object.fromEntries(prepared) as Statements;
}

/** A query whose text depends on which filters are given. */
export interface Query {
  readonly text: string;
  readonly values: readonly SQLInputValue[];
}

/** Listing of documents without bytes, in key order (bytes of the UTF-8 text). */
export function documentsQuery(filter: DocumentFilter): Query {
  const where: string[] = [];
  const values: SQLInputValue[] = [];
  const add = (condition: string, ...bound: SQLInputValue[]): void => {
    where.push(condition);
    values.push(...bound);
  };
  if (filter.auid !== undefined) add('auid = ?', filter.auid);
  if (filter.tree !== undefined) add('tree = ?', filter.tree);
  if (filter.xui !== undefined) add('xui = ?', filter.xui);
  if (filter.namePrefix !== undefined && filter.namePrefix !== '') {
    add('name >= ?', filter.namePrefix);
    const end = prefixEnd(filter.namePrefix);
    if (end !== undefined) add('name < ?', end);
  }
  if (filter.groups !== undefined) where.push(`group_id IS ${filter.groups ? 'NOT NULL' : 'NULL'}`);
  const after = filter.after;
  if (after !== undefined) {
    add('(auid, tree, xui, name) > (?, ?, ?, ?)', after.auid, after.tree, after.xui, after.name);
  }
  const condition = where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`;
  return {
    text: `SELECT ${documentColumns} FROM document${condition} ORDER BY auid, tree, xui, name LIMIT ?`,
    values: [...values, filter.limit ?? -1],
  };
}

/** Listing of deliveries by partner and state, both optional, oldest first. */
export function deliveriesQuery(filter: {
  readonly partner?: string;
  readonly state?: DeliveryRecord['state'];
}): Query {
  const where: string[] = [];
  const values: SQLInputValue[] = [];
  if (filter.partner !== undefined) {
    where.push('partner = ?');
    values.push(filter.partner);
  }
  if (filter.state !== undefined) {
    where.push('state = ?');
    values.push(filter.state);
  }
  const condition = where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`;
  return { text: `SELECT * FROM delivery${condition} ORDER BY sequence, partner, group_id`, values };
}
