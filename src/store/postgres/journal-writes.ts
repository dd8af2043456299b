// The journal in PostgreSQL: entries chained as they are written, the oldest removed, texts that name a person taken out. The chain survives all three.

import {
  type ChainedEntry,
  type ChainLink,
  detailText,
  entryHash,
  newSalt,
  personalFields,
  withoutTexts,
} from '../journal-chain.ts';
import { namesPerson } from '../names-person.ts';
import { type ChainLinkRow, chainedOf, type JournalRow } from '../rows.ts';
import type { JournalEntry, JournalErased, JournalErasure, JournalPruning } from '../store.ts';
import { reads } from './read-statements.ts';
import type { Session } from './session.ts';
import type { Plan, Write } from './writer.ts';

/** Entries with their places in the chain behind `head`. */
export function chained(head: ChainLink, entries: readonly JournalEntry[]): readonly ChainedEntry[] {
  let { sequence, hash } = head;
  return entries.map((entry) => {
    sequence += 1;
    const { at, action } = entry;
    const personal = { actor: storable(entry.actor), subject: storable(entry.subject), detail: detailText(entry) };
    const link = { sequence, at, action, ...personal, salt: newSalt(), erased: {} };
    hash = entryHash(hash, link);
    return { ...link, hash };
  });
}

// PostgreSQL keeps no U+0000; a refusal that somebody provoked with one is told all the same.
function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd');
}

/** Appends entries. */
export function journalWrites(entries: readonly ChainedEntry[]): readonly Write[] {
  if (entries.length === 0) return [];
  return [
    {
      statement: { name: 'appendJournal', text: sql.append },
      values: [
        entries.map(({ sequence }) => sequence),
        entries.map(({ at }) => at),
        entries.map(({ actor }) => actor),
        entries.map(({ action }) => action),
        entries.map(({ subject }) => subject),
        entries.map(({ detail }) => detail),
        entries.map(({ salt }) => salt),
        entries.map(({ hash }) => hash),
      ],
    },
  ];
}

/** Where the chain ends and how many commits there were: with each transaction, so that what is removed behind it can be told. */
export function endsWrite(sequence: number, head: ChainLink): Write {
  return { statement: { name: 'setEnds', text: sql.setEnds }, values: [sequence, head.sequence, head.hash] };
}

interface PrunedRow extends ChainLinkRow {
  readonly count: number;
}

/** Removes the oldest entries; where the chain begins then is kept with it. The result is how many. */
export async function planPruning(session: Session, { before, rows, limit }: JournalPruning): Promise<Plan<number>> {
  const { rows: found } = await session.query<PrunedRow>({ name: 'journalPruned', text: sql.pruned }, [
    before,
    rows,
    limit,
  ]);
  const [last] = found;
  if (last === undefined) return { result: 0, writes: [] };
  return {
    result: last.count,
    writes: [
      { statement: { name: 'setJournalBase', text: sql.setBase }, values: [last.sequence, last.hash] },
      { statement: { name: 'pruneJournal', text: sql.prune }, values: [last.sequence] },
    ],
  };
}

/** Takes the texts that name a person out of some entries. */
export async function planErasure(
  session: Session,
  { texts, after, limit }: JournalErasure,
): Promise<Plan<JournalErased>> {
  const { rows } = await session.query<JournalRow>(reads.journal, [after, limit]);
  const isNamed = namesPerson(texts);
  const changed = rows.map(chainedOf).flatMap((entry) => {
    const fields = personalFields.filter((field) => isNamed(entry[field] ?? ''));
    return fields.length === 0 ? [] : [withoutTexts(entry, fields)];
  });
  const result = { last: rows.at(-1)?.sequence, erased: changed.length };
  if (changed.length === 0) return { result, writes: [] };
  const values = [
    changed.map(({ sequence }) => sequence),
    changed.map(({ actor }) => actor),
    changed.map(({ subject }) => subject),
    changed.map(({ detail }) => detail),
    changed.map(({ salt }) => salt),
    changed.map(({ erased }) => JSON.stringify(erased)),
  ];
  return { result, writes: [{ statement: { name: 'eraseJournal', text: sql.erase }, values }] };
}

const sql = {
  append: `
    INSERT INTO journal (sequence, at, actor, action, subject, detail, salt, hash)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])`,
  setEnds: `
    WITH head AS (UPDATE journal_end SET sequence = $2, hash = $3 WHERE name = 'head')
    UPDATE gateway_store SET sequence = $1`,
  // The oldest entries that are of no more use, up to the first that is: what is left is one piece.
  pruned: `
    WITH oldest AS (
      SELECT sequence, hash, at < $1 OR sequence <= (SELECT max(sequence) FROM journal) - $2::bigint AS useless
      FROM journal ORDER BY sequence LIMIT $3),
    gone AS (
      SELECT sequence, hash FROM oldest
      WHERE sequence < coalesce((SELECT min(sequence) FROM oldest WHERE NOT useless), 9223372036854775807))
    SELECT sequence, hash, (SELECT count(*) FROM gone) AS count FROM gone ORDER BY sequence DESC LIMIT 1`,
  setBase: "UPDATE journal_end SET sequence = $1, hash = $2 WHERE name = 'base'",
  prune: 'DELETE FROM journal WHERE sequence <= $1',
  erase: `
    UPDATE journal j SET actor = row.actor, subject = row.subject, detail = row.detail, salt = row.salt, erased = row.erased
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
      AS row (sequence, actor, subject, detail, salt, erased)
    WHERE j.sequence = row.sequence`,
} as const;
