// Writes the parts of one Commit inside an open transaction. Says `conflict` or `taken` before the first row that would be wrong;
// the caller rolls back what was written until then.

import type {
  Commit,
  DeliveryWrite,
  DocumentKey,
  DocumentWrite,
  RecordWrite,
  SourceWrite,
  SubscriptionWrite,
} from '../store.ts';
import type { JournalWriter } from './journal-writer.ts';
import type { Statements } from './statements.ts';

/** Outcome of the parts that carry an expectation. */
export type Applied =
  | { readonly outcome: 'applied' }
  | { readonly outcome: 'conflict' }
  | { readonly outcome: 'taken'; readonly groupId: string };

const applied: Applied = { outcome: 'applied' };
const conflict: Applied = { outcome: 'conflict' };

/** Applies one commit under the number `sequence` at the instant `at` (ISO 8601). Throws what SQLite throws. */
export function applyCommit(
  statements: Statements,
  journal: JournalWriter,
  commit: Commit,
  sequence: number,
  at: string,
): Applied {
  for (const write of commit.documents ?? []) {
    const outcome = applyDocument(statements, write, at);
    if (outcome.outcome !== 'applied') return outcome;
  }
  for (const write of commit.sources ?? []) {
    const outcome = applySource(statements, write);
    if (outcome.outcome !== 'applied') return outcome;
  }
  for (const write of commit.deliveries ?? []) applyDelivery(statements, write, sequence, at);
  for (const write of commit.subscriptions ?? []) applySubscription(statements, write);
  for (const write of commit.records ?? []) {
    if (!applyRecord(statements, write)) return conflict;
  }
  for (const memo of commit.memos ?? []) {
    if (memo.value === undefined) statements.deleteMemo.run(memo.name);
    else statements.putMemo.run(memo.name, memo.value);
  }
  for (const entry of commit.journal ?? []) journal.append(entry);
  return applied;
}

function applyDocument(statements: Statements, write: DocumentWrite, at: string): Applied {
  const key = write.write === 'put' ? write.document.key : write.key;
  const place = [key.auid, key.tree, key.xui, key.name] as const;
  if (!holds(write.expected, statements.documentTag.get(...place))) return conflict;
  if (write.write === 'delete') {
    statements.deleteDocument.run(...place);
    return applied;
  }
  const { tag, bytes, groupId } = write.document;
  if (groupId !== undefined) {
    const holder = statements.groupHolder.get(groupId) as unknown as DocumentKey | undefined;
    if (holder !== undefined && !sameKey(holder, key)) return { outcome: 'taken', groupId };
  }
  statements.putDocument.run(...place, tag, groupId ?? null, at, bytes.byteLength, bytes);
  return applied;
}

function applySource(statements: Statements, write: SourceWrite): Applied {
  const groupId = write.write === 'put' ? write.source.groupId : write.groupId;
  if (!holds(write.expected, statements.sourceTag.get(groupId))) return conflict;
  if (write.write === 'delete') {
    statements.deleteSource.run(groupId);
    return applied;
  }
  const source = write.source;
  statements.putSource.run(
    groupId,
    source.partner,
    source.tag,
    source.primaryTag ?? null,
    source.policy,
    source.policyVersion,
    JSON.stringify(source.appliedRules),
    source.received,
    source.staleSince ?? null,
    source.heldSince ?? null,
    source.sent ?? null,
    source.bytes,
    source.released ?? null,
  );
  return applied;
}

function applyDelivery(statements: Statements, write: DeliveryWrite, sequence: number, at: string): void {
  switch (write.write) {
    case 'queue': {
      const { partner, groupId, action, braked, urgent } = write.delivery;
      const state = braked === undefined ? 'queued' : 'braked';
      const outcome = braked ?? null;
      const row = { partner, groupId, action, state, outcome, sequence, queued: at };
      statements.queueDelivery.run({ ...row, urgent: urgent === true ? 1 : 0 });
      return;
    }
    case 'settle':
      statements.settleDelivery.run({
        partner: write.partner,
        groupId: write.groupId,
        sequence: write.sequence,
        state: write.state,
        attempts: write.attempts,
        notBefore: write.notBefore ?? null,
        partnerTag: write.partnerTag ?? null,
        outcome: write.outcome ?? null,
      });
      return;
    case 'drop':
      statements.dropDelivery.run(write.partner, write.groupId);
  }
}

function applySubscription(statements: Statements, write: SubscriptionWrite): void {
  if (write.write === 'delete') statements.deleteSubscription.run(write.id);
  else statements.putSubscription.run(write.subscription.id, write.subscription.expires, write.subscription.state);
}

function applyRecord(statements: Statements, write: RecordWrite): boolean {
  const { kind, name, value, expected } = write;
  if (expected !== undefined) {
    const row = statements.record.get(kind, name) as { readonly value: string } | undefined;
    if (expected !== (row?.value ?? null)) return false;
  }
  if (value === undefined) statements.deleteRecord.run(kind, name);
  else statements.putRecord.run(kind, name, value);
  return true;
}

function holds(expected: string | null | undefined, row: Record<string, unknown> | undefined): boolean {
  if (expected === undefined) return true;
  return expected === null ? row === undefined : row?.tag === expected;
}

function sameKey(one: DocumentKey, other: DocumentKey): boolean {
  return one.auid === other.auid && one.tree === other.tree && one.xui === other.xui && one.name === other.name;
}
