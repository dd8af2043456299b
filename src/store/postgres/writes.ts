// The writes of accepted commits as few statements: what goes to one table is one statement as long as no row is written twice and
// puts and deletions do not alternate. Values travel as one array for each column, contents of documents as one stretch of bytes.

import type {
  Commit,
  DeliveryWrite,
  DocumentWrite,
  MemoWrite,
  RecordWrite,
  SourceWrite,
  SubscriptionWrite,
} from '../store.ts';
import { groupIdOf, keyOf, placeOf, recordPlace } from './judge.ts';
import type { Write } from './writer.ts';

/** An accepted commit with its number and its instant (ISO 8601). */
export interface Accepted {
  readonly commit: Commit;
  readonly sequence: number;
  readonly at: string;
}

/** The statements for all but the journal, in an order that has the effect of the commits one after another. */
export function writesOf(accepted: readonly Accepted[]): readonly Write[] {
  const of = <Part>(part: (commit: Commit) => readonly Part[] | undefined): readonly (readonly [Part, Accepted])[] =>
    accepted.flatMap((one) => (part(one.commit) ?? []).map((write) => [write, one] as const));
  return [
    ...runs(
      of(({ documents }) => documents),
      ([write]) => write.write,
      ([write]) => placeOf(keyOf(write)),
    ).map(documentRun),
    ...runs(
      of(({ sources }) => sources),
      ([write]) => write.write,
      ([write]) => groupIdOf(write),
    ).map(sourceRun),
    ...runs(
      of(({ deliveries }) => deliveries),
      ([write]) => write.write,
      ([write]) => deliveryPlace(write),
    ).map(deliveryRun),
    ...runs(
      of(({ subscriptions }) => subscriptions),
      ([write]) => write.write,
      ([write]) => (write.write === 'put' ? write.subscription.id : write.id),
    ).map(subscriptionRun),
    ...runs(
      of(({ records }) => records),
      ([{ value }]) => (value === undefined ? 'delete' : 'put'),
      ([write]) => recordPlace(write),
    ).map(recordRun),
    ...runs(
      of(({ memos }) => memos),
      ([{ value }]) => (value === undefined ? 'delete' : 'put'),
      ([{ name }]) => name,
    ).map(memoRun),
  ];
}

type Numbered<Part> = readonly (readonly [Part, Accepted])[];

/** Cuts a list into the longest pieces of one kind in which no key comes twice. */
function runs<Item>(
  items: readonly Item[],
  kindOf: (item: Item) => string,
  keyOf: (item: Item) => string,
): readonly (readonly Item[])[] {
  const cut: Item[][] = [];
  let kind = '';
  let keys = new Set<string>();
  for (const item of items) {
    const key = keyOf(item);
    if (cut.length === 0 || kindOf(item) !== kind || keys.has(key)) {
      cut.push([]);
      kind = kindOf(item);
      keys = new Set();
    }
    cut.at(-1)?.push(item);
    keys.add(key);
  }
  return cut;
}

function deliveryPlace(write: DeliveryWrite): string {
  const { partner, groupId } = write.write === 'queue' ? write.delivery : write;
  return JSON.stringify([partner, groupId]);
}

function write(name: string, text: string, values: readonly unknown[]): Write {
  return { statement: { name, text }, values };
}

function documentRun(run: Numbered<DocumentWrite>): Write {
  const keys = run.map(([one]) => keyOf(one));
  const place = [
    keys.map((key) => key.auid),
    keys.map((key) => key.tree),
    keys.map((key) => key.xui),
    keys.map((key) => key.name),
  ];
  const puts = run.flatMap(([one, { at }]) => (one.write === 'put' ? [{ ...one.document, at }] : []));
  if (puts.length === 0) return write('deleteDocuments', sql.deleteDocuments, place);
  const contents = stretch(puts.map(({ bytes }) => bytes));
  return write('putDocuments', sql.putDocuments, [
    ...place,
    puts.map(({ tag }) => tag),
    puts.map(({ groupId }) => groupId ?? null),
    puts.map(({ at }) => at),
    contents.from,
    contents.length,
    contents.bytes,
  ]);
}

function sourceRun(run: Numbered<SourceWrite>): Write {
  const puts = run.flatMap(([one]) => (one.write === 'put' ? [one.source] : []));
  if (puts.length === 0) return write('deleteSources', sql.deleteSources, [run.map(([one]) => groupIdOf(one))]);
  const contents = stretch(puts.map(({ bytes }) => bytes));
  const released = stretch(puts.map((source) => source.released));
  return write('putSources', sql.putSources, [
    puts.map(({ groupId }) => groupId),
    puts.map(({ partner }) => partner),
    puts.map(({ tag }) => tag),
    puts.map(({ primaryTag }) => primaryTag ?? null),
    puts.map(({ policy }) => policy),
    puts.map(({ policyVersion }) => policyVersion),
    puts.map(({ appliedRules }) => JSON.stringify(appliedRules)),
    puts.map(({ received }) => received),
    puts.map(({ staleSince }) => staleSince ?? null),
    puts.map(({ heldSince }) => heldSince ?? null),
    puts.map(({ sent }) => sent ?? null),
    contents.from,
    contents.length,
    released.from,
    released.length,
    contents.bytes,
    released.bytes,
  ]);
}

function deliveryRun(run: Numbered<DeliveryWrite>): Write {
  const queued = run.flatMap(([one, { sequence, at }]) =>
    one.write === 'queue' ? [{ ...one.delivery, sequence, at }] : [],
  );
  if (queued.length > 0) {
    return write('queueDeliveries', sql.queueDeliveries, [
      queued.map(({ partner }) => partner),
      queued.map(({ groupId }) => groupId),
      queued.map(({ action }) => action),
      queued.map(({ braked }) => (braked === undefined ? 'queued' : 'braked')),
      queued.map(({ braked }) => braked ?? null),
      queued.map(({ sequence }) => sequence),
      queued.map(({ at }) => at),
      queued.map(({ urgent }) => (urgent === true ? 1 : 0)),
    ]);
  }
  const settled = run.flatMap(([one]) => (one.write === 'settle' ? [one] : []));
  if (settled.length > 0) {
    return write('settleDeliveries', sql.settleDeliveries, [
      settled.map(({ partner }) => partner),
      settled.map(({ groupId }) => groupId),
      settled.map(({ sequence }) => sequence),
      settled.map(({ state }) => state),
      settled.map(({ attempts }) => attempts),
      settled.map(({ notBefore }) => notBefore ?? null),
      settled.map(({ partnerTag }) => partnerTag ?? null),
      settled.map(({ outcome }) => outcome ?? null),
    ]);
  }
  const dropped = run.flatMap(([one]) => (one.write === 'drop' ? [one] : []));
  return write('dropDeliveries', sql.dropDeliveries, [
    dropped.map(({ partner }) => partner),
    dropped.map(({ groupId }) => groupId),
  ]);
}

function subscriptionRun(run: Numbered<SubscriptionWrite>): Write {
  const puts = run.flatMap(([one]) => (one.write === 'put' ? [one.subscription] : []));
  if (puts.length > 0) {
    const columns = [puts.map(({ id }) => id), puts.map(({ expires }) => expires), puts.map(({ state }) => state)];
    return write('putSubscriptions', sql.putSubscriptions, columns);
  }
  const ids = run.flatMap(([one]) => (one.write === 'delete' ? [one.id] : []));
  return write('deleteSubscriptions', sql.deleteSubscriptions, [ids]);
}

function recordRun(run: Numbered<RecordWrite>): Write {
  const place = [run.map(([{ kind }]) => kind), run.map(([{ name }]) => name)];
  const values = run.flatMap(([{ value }]) => (value === undefined ? [] : [value]));
  return values.length === 0
    ? write('deleteRecords', sql.deleteRecords, place)
    : write('putRecords', sql.putRecords, [...place, values]);
}

function memoRun(run: Numbered<MemoWrite>): Write {
  const names = run.map(([{ name }]) => name);
  const values = run.flatMap(([{ value }]) => (value === undefined ? [] : [value]));
  return values.length === 0
    ? write('deleteMemos', sql.deleteMemos, [names])
    : write('putMemos', sql.putMemos, [names, values]);
}

interface Stretch {
  readonly bytes: Buffer;
  /** Where each begins, from 1, and how long it is, in octets; null = there is none. */
  readonly from: readonly (number | null)[];
  readonly length: readonly (number | null)[];
}

// In an array each octet would be four characters.
function stretch(contents: readonly (Uint8Array | undefined)[]): Stretch {
  const from: (number | null)[] = [];
  let next = 1;
  for (const bytes of contents) {
    from.push(bytes === undefined ? null : next);
    next += bytes?.byteLength ?? 0;
  }
  return {
    bytes: Buffer.concat(contents.filter((bytes) => bytes !== undefined)),
    from,
    length: contents.map((bytes) => bytes?.byteLength ?? null),
  };
}

const sourceColumns =
  'group_id, partner, tag, primary_tag, policy, policy_version, applied_rules, received, stale_since, held_since, sent';

const sql = {
  putDocuments: `
    INSERT INTO document (auid, tree, xui, name, tag, group_id, modified, size, bytes)
    SELECT auid, tree, xui, name, tag, group_id, modified, length, substring($10::bytea FROM start FOR length)
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::integer[])
      AS row (auid, tree, xui, name, tag, group_id, modified, start, length)
    ON CONFLICT (auid, tree, xui, name) DO UPDATE SET
      tag = excluded.tag, group_id = excluded.group_id, modified = excluded.modified,
      size = excluded.size, bytes = excluded.bytes`,
  deleteDocuments: `
    DELETE FROM document d USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS row (auid, tree, xui, name)
    WHERE d.auid = row.auid AND d.tree = row.tree AND d.xui = row.xui AND d.name = row.name`,

  putSources: `
    INSERT INTO source (${sourceColumns}, bytes, released)
    SELECT ${sourceColumns}, substring($16::bytea FROM start FOR length), substring($17::bytea FROM released_start FOR released_length)
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[],
      $10::text[], $11::text[], $12::integer[], $13::integer[], $14::integer[], $15::integer[])
      AS row (${sourceColumns}, start, length, released_start, released_length)
    ON CONFLICT (group_id) DO UPDATE SET
      partner = excluded.partner, tag = excluded.tag, primary_tag = excluded.primary_tag, policy = excluded.policy,
      policy_version = excluded.policy_version, applied_rules = excluded.applied_rules, received = excluded.received,
      stale_since = excluded.stale_since, held_since = excluded.held_since, sent = excluded.sent, bytes = excluded.bytes,
      released = excluded.released`,
  deleteSources: 'DELETE FROM source WHERE group_id = ANY ($1::text[])',

  // What was urgent and did not arrive is urgent still, whatever replaces it.
  queueDeliveries: `
    INSERT INTO delivery (partner, group_id, action, state, outcome, sequence, attempts, queued, urgent)
    SELECT partner, group_id, action, state, outcome, sequence, 0, queued, urgent
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::smallint[])
      AS row (partner, group_id, action, state, outcome, sequence, queued, urgent)
    ON CONFLICT (partner, group_id) DO UPDATE SET
      action = excluded.action, state = excluded.state, sequence = excluded.sequence, attempts = 0, not_before = NULL,
      outcome = excluded.outcome, queued = excluded.queued,
      urgent = CASE WHEN delivery.state = 'queued' THEN greatest(delivery.urgent, excluded.urgent) ELSE excluded.urgent END`,
  // A success tells the tag anew, even when it tells none; any other outcome leaves what the partner holds as it was.
  settleDeliveries: `
    UPDATE delivery d SET
      state = row.state, attempts = row.attempts, not_before = row.not_before, outcome = row.outcome,
      partner_tag = CASE WHEN row.state = 'delivered' THEN row.partner_tag ELSE coalesce(row.partner_tag, d.partner_tag) END
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[])
      AS row (partner, group_id, sequence, state, attempts, not_before, partner_tag, outcome)
    WHERE d.partner = row.partner AND d.group_id = row.group_id AND d.sequence = row.sequence`,
  dropDeliveries: `
    DELETE FROM delivery d USING unnest($1::text[], $2::text[]) AS row (partner, group_id)
    WHERE d.partner = row.partner AND d.group_id = row.group_id`,

  putSubscriptions: `
    INSERT INTO subscription (id, expires, state) SELECT * FROM unnest($1::text[], $2::double precision[], $3::text[])
    ON CONFLICT (id) DO UPDATE SET expires = excluded.expires, state = excluded.state`,
  deleteSubscriptions: 'DELETE FROM subscription WHERE id = ANY ($1::text[])',

  putRecords: `
    INSERT INTO record (kind, name, value) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value`,
  deleteRecords: `
    DELETE FROM record r USING unnest($1::text[], $2::text[]) AS row (kind, name)
    WHERE r.kind = row.kind AND r.name = row.name`,

  putMemos: `
    INSERT INTO memo (name, value) SELECT * FROM unnest($1::text[], $2::text[])
    ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  deleteMemos: 'DELETE FROM memo WHERE name = ANY ($1::text[])',
} as const;
