// Group commit: commits that wait at the same moment share one transaction and its wait for the server's disk, during which the next gather.
// A commit whose expectation fails takes only itself back. They are answered in their order, which is also that of what they wrote.

// Taken from the module, not the globals: a faked clock must not stop the network.
import { setImmediate } from 'node:timers';
import type { CommitCounters } from '../commit-counters.ts';
import type { ChainLink } from '../journal-chain.ts';
import type { Commit, CommitOutcome } from '../store.ts';
import { StoreError } from '../store-error.ts';
import { concernsOneCommit, messageOf } from './failures.ts';
import { chained, endsWrite, journalWrites } from './journal-writes.ts';
import { askedBy, Judge } from './judge.ts';
import { readKnown } from './read-known.ts';
import type { Session } from './session.ts';
import type { Plan, Writer } from './writer.ts';
import { type Accepted, writesOf } from './writes.ts';

interface Waiting {
  readonly commit: Commit;
  readonly resolve: (outcome: CommitOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** The ends that the next commit continues. */
interface Ends {
  readonly sequence: number;
  readonly head: ChainLink;
}

interface Judged {
  readonly outcomes: readonly CommitOutcome[];
  readonly ends: Ends;
  readonly accepted: number;
}

const batchSize = 512;
/** Bytes of documents after which a batch is full. */
const batchBytes = 8 * 1024 * 1024;

export class CommitQueue {
  readonly #writer: Writer;
  readonly #now: () => Date;
  #ends: Ends;
  #waiting: Waiting[] = [];
  /** What is done one after another, each item after the one before it. */
  #turn: Promise<unknown> = Promise.resolve();
  #scheduled = false;
  #counters = { transactions: 0, commits: 0, conflicts: 0, failures: 0 };

  constructor(writer: Writer, now: () => Date, ends: Ends) {
    this.#writer = writer;
    this.#now = now;
    this.#ends = ends;
    writer.onOutage = (error) => this.#reject(this.#waiting.splice(0), error);
  }

  get counters(): CommitCounters {
    return { ...this.#counters };
  }

  /** Resolves when the commit is durable or refused; rejects with StoreError when it was not made. */
  commit(commit: Commit): Promise<CommitOutcome> {
    return new Promise((resolve, reject) => {
      const waiting = { commit, resolve, reject };
      const refusal = this.#writer.refusal;
      if (refusal !== undefined) return this.#reject([waiting], refusal);
      this.#waiting.push(waiting);
      this.#schedule();
    });
  }

  /** Runs another transaction in its turn. Rejects with StoreError. */
  run<Result>(plan: (session: Session) => Promise<Plan<Result>>, failed: string): Promise<Result> {
    return this.#inTurn(() => this.#writer.write(plan).catch((error) => Promise.reject(failure(failed, error))));
  }

  /** Resolves when nothing waits. */
  async drain(): Promise<void> {
    while (this.#waiting.length > 0 || this.#scheduled) {
      this.#schedule();
      await this.#turn;
    }
    await this.#turn;
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    void this.#inTurn(async () => {
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#scheduled = false;
      const batch = this.#take();
      // The next gather while this one is under way
      this.#schedule();
      await this.#flush(batch);
    });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #take(): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { commit } of this.#waiting) {
      bytes += bytesOf(commit);
      if (count === batchSize || (count > 0 && bytes > batchBytes)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #flush(batch: readonly Waiting[]): Promise<void> {
    if (batch.length === 0) return;
    try {
      const { outcomes, ends, accepted } = await this.#writer.write((session) => this.#plan(session, batch));
      this.#ends = ends;
      if (accepted > 0) this.#counters.transactions++;
      this.#counters.commits += batch.length;
      this.#counters.conflicts += batch.length - accepted;
      for (const [place, outcome] of outcomes.entries()) batch[place]?.resolve(outcome);
    } catch (error) {
      if (batch.length > 1 && concernsOneCommit(error)) {
        // One of them is at fault; the server does not say which.
        for (const waiting of batch) await this.#flush([waiting]);
      } else this.#reject(batch, failure('the store could not make a change durable', error));
    }
  }

  async #plan(session: Session, batch: readonly Waiting[]): Promise<Plan<Judged>> {
    const commits = batch.map(({ commit }) => commit);
    const judge = new Judge(await readKnown(session, askedBy(commits)));
    const at = this.#now().toISOString();
    let { sequence } = this.#ends;
    const accepted: Accepted[] = [];
    const outcomes = commits.map((commit): CommitOutcome => {
      const judgement = judge.judge(commit);
      if (judgement.outcome !== 'applied') return judgement;
      sequence += 1;
      accepted.push({ commit, sequence, at });
      return { outcome: 'committed', sequence, at };
    });
    const entries = chained(
      this.#ends.head,
      accepted.flatMap(({ commit }) => commit.journal ?? []),
    );
    const head = entries.at(-1) ?? this.#ends.head;
    const ends = { sequence, head: { sequence: head.sequence, hash: head.hash } };
    const result = { outcomes, ends, accepted: accepted.length };
    if (accepted.length === 0) return { result, writes: [] };
    return { result, writes: [...writesOf(accepted), ...journalWrites(entries), endsWrite(sequence, ends.head)] };
  }

  #reject(batch: readonly Waiting[], error: StoreError): void {
    this.#counters.commits += batch.length;
    this.#counters.failures += batch.length;
    for (const waiting of batch) waiting.reject(error);
  }
}

function failure(what: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('failed', `${what}: ${messageOf(error)}`);
}

function bytesOf({ documents = [], sources = [] }: Commit): number {
  let bytes = 0;
  for (const write of documents) if (write.write === 'put') bytes += write.document.bytes.byteLength;
  for (const write of sources) if (write.write === 'put') bytes += write.source.bytes.byteLength;
  return bytes;
}
