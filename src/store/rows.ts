// The rows that both engines keep, and the records they stand for. Columns have the same names and types in both;
// what differs between the dialects is how they are selected.

import { type ChainedEntry, personalFields } from './journal-chain.ts';
import type {
  DeliveryRecord,
  DocumentKey,
  DocumentSummary,
  JournalRecord,
  SourceState,
  SourceSummary,
  StoredDocument,
} from './store.ts';

/** Row of `document`; `bytes` only where it was selected. */
export interface DocumentRow {
  readonly auid: string;
  readonly tree: DocumentKey['tree'];
  readonly xui: string;
  readonly name: string;
  readonly tag: string;
  readonly group_id: string | null;
  readonly modified: string;
  readonly size: number;
}

/** Row of `source`, without its bytes. */
export interface SourceRow {
  readonly group_id: string;
  readonly partner: string;
  readonly tag: string;
  readonly primary_tag: string | null;
  readonly policy: string;
  readonly policy_version: number;
  readonly applied_rules: string;
  readonly received: string;
  readonly stale_since: string | null;
  readonly held_since: string | null;
  readonly sent: string | null;
}

export type SourceStateRow = Pick<SourceRow, 'group_id' | 'partner' | 'received' | 'stale_since' | 'held_since'>;

/** Row of `delivery`; `urgent` is 0 or 1. */
export interface DeliveryRow {
  readonly partner: string;
  readonly group_id: string;
  readonly action: DeliveryRecord['action'];
  readonly state: DeliveryRecord['state'];
  readonly sequence: number;
  readonly attempts: number;
  readonly not_before: string | null;
  readonly partner_tag: string | null;
  readonly outcome: string | null;
  readonly queued: string;
  readonly urgent: number;
}

export interface DeliveryCountRow {
  readonly partner: string;
  readonly action: DeliveryRecord['action'];
  readonly state: DeliveryRecord['state'];
  readonly count: number;
  readonly oldest: string;
}

export interface JournalRow {
  readonly sequence: number;
  readonly at: string;
  readonly actor: string | null;
  readonly action: string;
  readonly subject: string | null;
  readonly detail: string | null;
  readonly salt: string;
  readonly hash: string;
  readonly erased: string | null;
}

export interface ChainLinkRow {
  readonly sequence: number;
  readonly hash: string;
}

export interface WithBytes {
  readonly bytes: Uint8Array;
}

/** `released` only where a source was selected as a whole. */
export interface WithReleased extends WithBytes {
  readonly released: Uint8Array | null;
}

function keyOf(row: DocumentRow): DocumentKey {
  return { auid: row.auid, tree: row.tree, xui: row.xui, name: row.name };
}

/** A document with its bytes. */
export function documentOf(row: DocumentRow & WithBytes): StoredDocument {
  const { tag, bytes, modified } = row;
  return { key: keyOf(row), tag, bytes, modified, ...optional('groupId', row.group_id) };
}

/** A document as it is listed. */
export function summaryOf(row: DocumentRow): DocumentSummary {
  const { tag, size, modified } = row;
  return { key: keyOf(row), tag, size, modified, ...optional('groupId', row.group_id) };
}

/** A source as it is listed. */
export function sourceOf(row: SourceRow): SourceSummary {
  return {
    groupId: row.group_id,
    partner: row.partner,
    tag: row.tag,
    policy: row.policy,
    policyVersion: row.policy_version,
    appliedRules: JSON.parse(row.applied_rules) as readonly string[],
    received: row.received,
    ...optional('primaryTag', row.primary_tag),
    ...optional('staleSince', row.stale_since),
    ...optional('heldSince', row.held_since),
    ...optional('sent', row.sent),
  };
}

/** Where a source stands. */
export function sourceStateOf(row: SourceStateRow): SourceState {
  return {
    groupId: row.group_id,
    partner: row.partner,
    received: row.received,
    ...optional('staleSince', row.stale_since),
    ...optional('heldSince', row.held_since),
  };
}

/** An entry of the outbox. */
export function deliveryOf(row: DeliveryRow): DeliveryRecord {
  return {
    partner: row.partner,
    groupId: row.group_id,
    action: row.action,
    state: row.state,
    sequence: row.sequence,
    attempts: row.attempts,
    queued: row.queued,
    ...optional('notBefore', row.not_before),
    ...optional('partnerTag', row.partner_tag),
    ...optional('outcome', row.outcome),
    ...(row.urgent === 0 ? {} : { urgent: true }),
  };
}

/** What an entry shows in place of a text that was erased. */
const erasedText = '(erased)';

/** An entry of the journal as it is read. */
export function journalOf(row: JournalRow): JournalRecord {
  const { sequence, at, action } = row;
  const detail = row.detail === null ? undefined : detailIn(row.detail);
  const actor = row.actor ?? erasedText;
  const subject = row.subject ?? erasedText;
  return { sequence, at, actor, action, subject, ...(detail === undefined ? {} : { detail }) };
}

function optional<Name extends string>(name: Name, value: string | null): { readonly [name in Name]?: string } {
  return value === null ? {} : ({ [name]: value } as { readonly [name in Name]: string });
}

// What somebody else wrote there is told as it is: one entry shall not hide all others.
function detailIn(text: string): NonNullable<JournalRecord['detail']> {
  try {
    return JSON.parse(text) as NonNullable<JournalRecord['detail']>;
  } catch {
    return { unreadable: text };
  }
}

/** A row of the journal with all that its hash is made of. */
export function chainedOf(row: JournalRow): ChainedEntry {
  const { sequence, at, actor, action, subject, detail, salt, hash } = row;
  const erased = row.erased === null ? {} : digestsIn(row.erased);
  return { sequence, at, actor, action, subject, detail, salt, hash, erased };
}

// Nobody but us writes anything else there: what cannot be read stands for texts that are not there, and does not fit what is.
function digestsIn(text: string): ChainedEntry['erased'] {
  try {
    const digests: unknown = JSON.parse(text);
    if (typeof digests === 'object' && digests !== null) return digests;
  } catch {
    // told below
  }
  return Object.fromEntries(personalFields.map((field) => [field, '']));
}
