// Group commit: commits that wait at the same moment become savepoints of one durable transaction and share its fsync, during which the
// event loop goes on and the next batch gathers. A commit whose expectation fails takes only itself back; a failing disk rejects all.

import type { DatabaseSync } from 'node:sqlite';
// Taken from the module, not the globals: a faked clock must not stop the disk.
import { setImmediate } from 'node:timers';
import type { CommitCounters } from '../commit-counters.ts';
import type { Commit, CommitOutcome } from '../store.ts';
import { StoreError } from '../store-error.ts';
import { type Applied, applyCommit } from './apply-commit.ts';
import type { CommitLog } from './commit-log.ts';
import { JournalWriter } from './journal-writer.ts';
import { messageOf, resultCode, sqliteResult, withoutTraces } from './open-database.ts';
import type { Statements } from './statements.ts';

interface Waiting {
  readonly commit: Commit;
  readonly resolve: (outcome: CommitOutcome) => void;
  readonly reject: (error: unknown) => void;
}

type Answer =
  | { readonly waiting: Waiting; readonly outcome: CommitOutcome }
  | { readonly waiting: Waiting; readonly error: unknown };

/** Longest time that one batch may hold the event loop before its fsync, milliseconds. */
const batchPatience = 10;
const batchSize = 512;

/** Bytes written, roughly, after which the log is copied into the database: in a turn of its own, so that no commit waits for it. */
const checkpointAfter = 4 * 1024 * 1024;
/** What a commit writes beside the bytes of documents: a few pages of tables and indexes. */
const smallChange = 16 * 1024;

/** The queue of commits in front of one database. */
export class CommitQueue {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #log: CommitLog;
  readonly #now: () => Date;
  readonly #journal: JournalWriter;
  #waiting: Waiting[] = [];
  #scheduled = false;
  /** Settles when the batch that is being made durable has its answers. */
  #syncing: Promise<void> | undefined;
  /** Why nothing can be written any more. */
  #broken: StoreError | undefined;
  #sequence: number;
  #written = 0;
  #counters = { transactions: 0, commits: 0, conflicts: 0, failures: 0 };

  constructor(database: DatabaseSync, statements: Statements, log: CommitLog, now: () => Date) {
    this.#database = database;
    this.#statements = statements;
    this.#log = log;
    this.#now = now;
    this.#journal = new JournalWriter(statements);
    this.#sequence = Number(statements.sequence.get()?.value ?? 0);
  }

  get counters(): CommitCounters {
    return { ...this.#counters };
  }

  /** Resolves when the commit is on disk or refused; rejects with StoreError `failed` when its batch could not be made durable. */
  commit(commit: Commit): Promise<CommitOutcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ commit, resolve, reject });
      this.#schedule();
    });
  }

  /** Makes everything that waits durable. */
  async drain(): Promise<void> {
    await this.#syncing;
    while (this.#waiting.length > 0) {
      this.#flush();
      await this.#syncing;
    }
  }

  #schedule(): void {
    // The end of a sync schedules what has gathered during it
    if (this.#scheduled || this.#syncing !== undefined) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#syncing !== undefined) return;
      if (this.#waiting.length > 0) this.#flush();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  #flush(): void {
    const batch: Waiting[] = [];
    const answers: Answer[] = [];
    const before = this.#sequence;
    const head = this.#journal.head;
    try {
      if (this.#broken !== undefined) throw this.#broken;
      const at = this.#now().toISOString();
      const deadline = performance.now() + batchPatience;
      this.#statements.begin.run();
      while (batch.length < batchSize && (batch.length === 0 || performance.now() < deadline)) {
        const waiting = this.#waiting[batch.length];
        if (waiting === undefined) break;
        batch.push(waiting);
        answers.push(this.#attempt(waiting, at));
      }
      if (this.#sequence !== before) this.#statements.setSequence.run(this.#sequence);
      this.#journal.seal();
      this.#statements.commit.run();
    } catch (error) {
      this.#sequence = before;
      this.#journal.abandon(head);
      // A failed BEGIN has taken none; then all that wait learn of it.
      this.#abandon(batch.length === 0 ? this.#waiting : batch, error);
      return;
    }
    this.#waiting = this.#waiting.slice(batch.length);
    this.#syncing = this.#settle(batch, answers).finally(() => {
      this.#syncing = undefined;
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  /** Waits for the disk, then answers a batch. */
  async #settle(batch: readonly Waiting[], answers: readonly Answer[]): Promise<void> {
    try {
      await this.#log.sync();
    } catch (error) {
      // What a failed sync has left on disk nobody can tell, and a second one would not say: fsync(2)
      this.#broken = failed(error);
      this.#reject(batch, this.#broken);
      return;
    }
    this.#counters.transactions++;
    this.#counters.commits += batch.length;
    this.#count(batch);
    for (const answer of answers) {
      if ('error' in answer) answer.waiting.reject(answer.error);
      else answer.waiting.resolve(answer.outcome);
    }
  }

  #count(batch: readonly Waiting[]): void {
    const before = this.#written;
    for (const { commit } of batch) this.#written += smallChange + bytesOf(commit);
    if (before < checkpointAfter && this.#written >= checkpointAfter) setImmediate(() => this.#checkpoint());
  }

  #checkpoint(): void {
    this.#written = 0;
    if (!this.#database.isOpen || this.#database.isTransaction || this.#broken !== undefined) return;
    try {
      this.#statements.checkpoint.get();
    } catch {
      // What could not be copied is safe in the log; a disk that fails for good tells the next commit.
    }
  }

  /** One commit in its savepoint. Throws only what spoils the whole transaction. */
  #attempt(waiting: Waiting, at: string): Answer {
    const statements = this.#statements;
    const sequence = this.#sequence + 1;
    const head = this.#journal.head;
    statements.savepoint.run();
    let outcome: Applied;
    try {
      outcome = this.#apply(waiting.commit, sequence, at);
    } catch (error) {
      if (spoilsTransaction(error) || !this.#database.isTransaction) throw error;
      statements.rollbackToSavepoint.run();
      statements.release.run();
      this.#journal.restore(head);
      this.#counters.failures++;
      return { waiting, error };
    }
    if (outcome.outcome !== 'applied') {
      statements.rollbackToSavepoint.run();
      statements.release.run();
      this.#journal.restore(head);
      this.#counters.conflicts++;
      return { waiting, outcome };
    }
    statements.release.run();
    this.#sequence = sequence;
    return { waiting, outcome: { outcome: 'committed', sequence, at } };
  }

  #apply(commit: Commit, sequence: number, at: string): Applied {
    const apply = (): Applied => applyCommit(this.#statements, this.#journal, commit, sequence, at);
    return commit.records?.some(({ personal }) => personal === true) ? withoutTraces(this.#database, apply) : apply();
  }

  #abandon(batch: readonly Waiting[], error: unknown): void {
    this.#waiting = this.#waiting.slice(batch.length);
    this.#reject(batch, error instanceof StoreError ? error : failed(error));
    if (this.#database.isTransaction) this.#statements.rollback.run();
  }

  #reject(batch: readonly Waiting[], failure: StoreError): void {
    this.#counters.commits += batch.length;
    this.#counters.failures += batch.length;
    for (const waiting of batch) waiting.reject(failure);
  }
}

function failed(error: unknown): StoreError {
  return new StoreError('failed', `the store could not make a change durable: ${messageOf(error)}`, error);
}

/** A value that SQLite refuses concerns one commit; everything else from SQLite (disk, memory, corruption) concerns all. */
function spoilsTransaction(error: unknown): boolean {
  const code = resultCode(error);
  if (code === undefined) return false;
  const ofOneCommit: readonly number[] = [
    sqliteResult.constraint,
    sqliteResult.mismatch,
    sqliteResult.tooBig,
    sqliteResult.range,
  ];
  return !ofOneCommit.includes(code);
}

function bytesOf({ documents = [], sources = [] }: Commit): number {
  let bytes = 0;
  for (const write of documents) if (write.write === 'put') bytes += write.document.bytes.byteLength;
  for (const write of sources) if (write.write === 'put') bytes += write.source.bytes.byteLength;
  return bytes;
}
