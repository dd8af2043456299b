// What is done to journal entries later: removing old ones, and taking out texts that name a person. The chain survives both.

import type { DatabaseSync } from 'node:sqlite';
import { personalFields, withoutTexts } from '../journal-chain.ts';
import { namesPerson } from '../names-person.ts';
import { type ChainLinkRow, chainedOf, type JournalRow } from '../rows.ts';
import type { JournalErased, JournalErasure, JournalPruning } from '../store.ts';
import { withoutTraces } from './open-database.ts';
import type { Statements } from './statements.ts';

/** Removes the oldest entries; where the chain begins then is kept with it. Answers how many. Throws what SQLite throws. */
export function pruneJournal(
  database: DatabaseSync,
  statements: Statements,
  { before, rows, limit }: JournalPruning,
): number {
  const last = statements.journalPruned.get({ before, rows, limit }) as unknown as ChainLinkRow | undefined;
  if (last === undefined) return 0;
  return withoutTraces(database, () =>
    inTransaction(statements, () => {
      statements.setJournalBase.run(last.sequence, last.hash);
      return Number(statements.pruneJournal.run(last.sequence).changes);
    }),
  );
}

/** Takes the texts that name a person out of some entries. Throws what SQLite throws. */
export function eraseJournal(
  database: DatabaseSync,
  statements: Statements,
  { texts, after, limit }: JournalErasure,
): JournalErased {
  const rows = (statements.journalChain.all(after, limit) as unknown as readonly JournalRow[]).map(chainedOf);
  const last = rows.at(-1)?.sequence;
  const isNamed = namesPerson(texts);
  const changed = rows.flatMap((entry) => {
    const fields = personalFields.filter((field) => isNamed(entry[field] ?? ''));
    return fields.length === 0 ? [] : [withoutTexts(entry, fields)];
  });
  if (changed.length === 0) {
    // The last slice: what was erased elsewhere goes from the log, too.
    if (last === undefined) statements.truncateLog.get();
    return { last, erased: 0 };
  }
  withoutTraces(database, () =>
    inTransaction(statements, () => {
      for (const { sequence, actor, subject, detail, salt, erased } of changed) {
        statements.eraseJournal.run({ sequence, actor, subject, detail, salt, erased: JSON.stringify(erased) });
      }
    }),
  );
  // Nor in the log beside it.
  statements.truncateLog.get();
  return { last, erased: changed.length };
}

function inTransaction<Result>(statements: Statements, work: () => Result): Result {
  statements.begin.run();
  try {
    const result = work();
    statements.commit.run();
    return result;
  } catch (error) {
    statements.rollback.run();
    throw error;
  }
}
