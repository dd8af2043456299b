// Every SQL statement that reads, with the shapes of listings whose text depends on their filter. Rows are those of both engines.

import { prefixEnd } from '../prefix-end.ts';
import type { DeliveryRecord, DocumentFilter } from '../store.ts';
import type { Statement } from './session.ts';

const documentColumns = 'auid, tree, xui, name, tag, group_id, modified, size';
const stateColumns = 'group_id, partner, received, stale_since, held_since';
const sourceColumns =
  'group_id, partner, tag, primary_tag, policy, policy_version, applied_rules, received, stale_since, held_since, sent';
const journalColumns = 'sequence, at, actor, action, subject, detail, salt, hash, erased';

const sql = {
  document: `SELECT ${documentColumns}, bytes FROM document WHERE auid = $1 AND tree = $2 AND xui = $3 AND name = $4`,
  groupDocument: `SELECT ${documentColumns}, bytes FROM document WHERE group_id = $1`,

  source: `SELECT ${sourceColumns}, bytes, released FROM source WHERE group_id = $1`,
  sources: `SELECT ${sourceColumns} FROM source ORDER BY group_id`,
  sourcesOfPartner: `SELECT ${sourceColumns} FROM source WHERE partner = $1 ORDER BY group_id`,
  sourceStates: `SELECT ${stateColumns} FROM source ORDER BY partner, group_id`,
  sourceStatesOfPartner: `SELECT ${stateColumns} FROM source WHERE partner = $1 ORDER BY group_id`,

  delivery: 'SELECT * FROM delivery WHERE partner = $1 AND group_id = $2',
  dueDeliveries: `
    SELECT * FROM delivery
    WHERE partner = $1 AND state = 'queued' AND (not_before IS NULL OR not_before <= $2)
    ORDER BY urgent DESC, sequence, group_id LIMIT $3`,
  waitingDeliveries: `
    SELECT * FROM delivery WHERE partner = $1 AND state = 'queued' ORDER BY not_before NULLS FIRST, sequence LIMIT $2`,
  deliveryCounts: `
    SELECT partner, action, state, count(*) AS count, min(queued) AS oldest FROM delivery
    GROUP BY partner, action, state ORDER BY partner, action, state`,
  deliveryCountsOfPartner: `
    SELECT partner, action, state, count(*) AS count, min(queued) AS oldest FROM delivery WHERE partner = $1
    GROUP BY partner, action, state ORDER BY action, state`,

  subscriptions: 'SELECT id, expires, state FROM subscription ORDER BY id',
  memo: 'SELECT value FROM memo WHERE name = $1',
  record: 'SELECT value FROM record WHERE kind = $1 AND name = $2',
  records: 'SELECT name, value FROM record WHERE kind = $1 AND name > $2 ORDER BY name LIMIT $3',

  journal: `SELECT ${journalColumns} FROM journal WHERE sequence > $1 ORDER BY sequence LIMIT $2`,
  // The index holds the beginnings of subjects.
  journalOfSubject: `
    SELECT ${journalColumns} FROM journal
    WHERE left(subject, 200) = left($1, 200) AND subject = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`,
  journalEnds: 'SELECT name, sequence, hash FROM journal_end',
  journalHead: "SELECT sequence, hash FROM journal_end WHERE name = 'head'",
  journalLast: 'SELECT max(sequence) AS sequence FROM journal',

  groupsStoredLast: `
    (SELECT bytes FROM source ORDER BY received DESC LIMIT $2)
    UNION ALL (SELECT bytes FROM document WHERE auid = $1 ORDER BY modified DESC LIMIT $2)`,
} as const;

/** The statements that read, by name. */
export const reads = Object.fromEntries(
  Object.entries(sql).map(([name, text]) => [name, { name, text }]),
) as unknown as Readonly<Record<keyof typeof sql, Statement>>;

/** A statement whose text depends on which filters are given. */
export interface Query {
  readonly statement: Statement;
  readonly values: readonly unknown[];
}

/** Listing of documents without bytes, in key order (bytes of the UTF-8 text). */
export function documentsQuery(filter: DocumentFilter): Query {
  const where = new Conditions();
  if (filter.auid !== undefined) where.add('auid = ?', filter.auid);
  if (filter.tree !== undefined) where.add('tree = ?', filter.tree);
  if (filter.xui !== undefined) where.add('xui = ?', filter.xui);
  if (filter.namePrefix !== undefined && filter.namePrefix !== '') {
    where.add('name >= ?', filter.namePrefix);
    const end = prefixEnd(filter.namePrefix);
    if (end !== undefined) where.add('name < ?', end);
  }
  if (filter.groups !== undefined) where.add(`group_id IS ${filter.groups ? 'NOT NULL' : 'NULL'}`);
  const { after, limit } = filter;
  if (after !== undefined) {
    where.add('(auid, tree, xui, name) > (?, ?, ?, ?)', after.auid, after.tree, after.xui, after.name);
  }
  const text = `SELECT ${documentColumns} FROM document${where.text} ORDER BY auid, tree, xui, name`;
  return { statement: named(`${text} LIMIT $${where.values.length + 1}`), values: [...where.values, limit ?? null] };
}

/** Listing of deliveries by partner and state, both optional, oldest first. */
export function deliveriesQuery(filter: {
  readonly partner?: string;
  readonly state?: DeliveryRecord['state'];
}): Query {
  const where = new Conditions();
  if (filter.partner !== undefined) where.add('partner = ?', filter.partner);
  if (filter.state !== undefined) where.add('state = ?', filter.state);
  const text = `SELECT * FROM delivery${where.text} ORDER BY sequence, partner, group_id`;
  return { statement: named(text), values: where.values };
}

class Conditions {
  readonly values: unknown[] = [];
  readonly #texts: string[] = [];

  add(condition: string, ...values: readonly unknown[]): void {
    let place = this.values.length;
    this.#texts.push(condition.replaceAll('?', () => `$${++place}`));
    this.values.push(...values);
  }

  get text(): string {
    return this.#texts.length === 0 ? '' : ` WHERE ${this.#texts.join(' AND ')}`;
  }
}

const names = new Map<string, Statement>();

// There are few shapes of filter.
function named(text: string): Statement {
  const known = names.get(text) ?? { name: `listing${names.size + 1}`, text };
  names.set(text, known);
  return known;
}
