// The one session that writes. Each transaction replaces the stamp that the last one left: who does not know it has not seen what is stored,
// and writes nothing. A transaction whose answer was lost is looked for by its stamp, so that it is neither lost nor done twice.

import { randomUUID } from 'node:crypto';
// Taken from the module, not the globals: a faked clock must not stop the network.
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import type { PostgresAddress } from '../../postgres-url.ts';
import { StoreError } from '../store-error.ts';
import { ConnectionLost, followsAnother, storeFailure, storeProblem } from './failures.ts';
import type { Session, Statement } from './session.ts';
import {
  type Backend,
  connect,
  endLeftover,
  type Found,
  inspect,
  lock,
  release,
  storeInUse,
  takeStore,
} from './take-store.ts';

/** What happens to the connection while the store is open. */
export type ConnectionNote =
  | { readonly event: 'lost' | 'waiting'; readonly error: Error }
  | { readonly event: 'regained'; readonly milliseconds: number }
  /** The store can be used no more: what the gateway remembers is not what is stored. */
  | { readonly event: 'broken'; readonly error: StoreError };

export interface WriterOptions {
  readonly address: PostgresAddress;
  /** Milliseconds that writes wait for a lost connection before they are refused. */
  readonly patience: number;
  readonly onNote: (note: ConnectionNote) => void;
}

/** One statement to be run. */
export interface Write {
  readonly statement: Statement;
  readonly values: readonly unknown[];
}

/** What a transaction is to write, and what it means to who asked for it. Nothing to write = it is taken back. */
export interface Plan<Result> {
  readonly result: Result;
  readonly writes: readonly Write[];
}

interface Waiting {
  readonly patient: boolean;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

const begin = { name: 'begin', text: 'BEGIN' };
const commit = { name: 'commit', text: 'COMMIT' };
const rollback = { name: 'rollback', text: 'ROLLBACK' };
const moveStamp = { name: 'moveStamp', text: 'UPDATE gateway_store SET stamp = $1 WHERE stamp = $2' };

const firstRetry = 50;
const longestRetry = 2_000;

export class Writer {
  readonly #options: WriterOptions;
  #session: Session | undefined;
  #backend: Backend;
  #stamp: string;
  /** Of a transaction whose COMMIT is on its way. */
  #pending: string | undefined;
  #waiting: Waiting[] = [];
  /** When the connection was lost, by the monotonic clock. */
  #lostAt = 0;
  #outage: StoreError | undefined;
  #patience: NodeJS.Timeout | undefined;
  #broken: StoreError | undefined;
  #closed = false;
  /** Told once, when an outage has lasted too long: what waits elsewhere is to be refused. */
  onOutage: (error: StoreError) => void = () => undefined;

  private constructor(options: WriterOptions, session: Session, { backend, stamp }: Found) {
    this.#options = options;
    this.#session = session;
    this.#backend = backend;
    this.#stamp = stamp;
  }

  /** Takes the store. Rejects with StoreError. */
  static async open(options: WriterOptions): Promise<{ readonly writer: Writer; readonly found: Found }> {
    let writer: Writer | undefined;
    let early: ConnectionLost | undefined;
    const { session, found } = await takeStore(options.address, {
      onLost: (reason) => {
        early = reason;
        if (writer !== undefined) writer.#lose(reason);
      },
    });
    if (early !== undefined) throw storeFailure(options.address, early);
    writer = new Writer(options, session, found);
    return { writer, found };
  }

  /** Why nothing can be written now and soon; undefined = it can, or it is worth waiting. */
  get refusal(): StoreError | undefined {
    return this.#broken ?? this.#outage;
  }

  /**
   * Runs one transaction: `plan` reads in it what it needs and says what is to be written. Calls of `write` must not overlap. When the connection is
   * lost, it begins anew as soon as the store is held again, unless it turns out to have been committed. Rejects with StoreError, or with what the server says.
   */
  async write<Result>(plan: (session: Session) => Promise<Plan<Result>>): Promise<Result> {
    for (;;) {
      const session = await this.#held();
      const stamp = randomUUID();
      let planned: Plan<Result> | undefined;
      try {
        planned = await this.#begin(session, stamp, plan);
        if (planned.writes.length === 0) await session.query(rollback);
        else await this.#finish(session, stamp, planned.writes);
        return planned.result;
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (planned !== undefined && planned.writes.length === 0) return planned.result;
        if (planned === undefined || this.#pending !== stamp) continue;
        // Nobody can tell yet whether it was committed, and whoever asked shall not be told anything wrong.
        await this.#regained(true);
        if (this.#stamp === stamp) return planned.result;
      }
    }
  }

  /** Gives the store back. What is under way is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#patience);
    this.#refuse(new StoreError('closed', 'the store is closed'), () => true);
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) await release(session);
  }

  async #begin<Result>(
    session: Session,
    stamp: string,
    plan: (session: Session) => Promise<Plan<Result>>,
  ): Promise<Plan<Result>> {
    try {
      // One way to the server and back for all of them
      const [, moved, planned] = await together([
        session.query(begin),
        session.query(moveStamp, [stamp, this.#stamp]),
        plan(session),
      ]);
      if (moved.count !== 1) throw this.#break();
      return planned;
    } catch (error) {
      if (!session.isLost) await session.query(rollback);
      throw error;
    }
  }

  async #finish(session: Session, stamp: string, writes: readonly Write[]): Promise<void> {
    this.#pending = stamp;
    try {
      const answers = await together([
        ...writes.map(({ statement, values }) => session.query(statement, values)),
        session.query(commit),
      ]);
      // After a failed statement it says ROLLBACK, but then that statement has said why.
      if (answers.at(-1)?.command !== 'COMMIT') throw new Error('the server did not commit');
    } catch (error) {
      if (!(error instanceof ConnectionLost)) this.#pending = undefined;
      throw error;
    }
    this.#pending = undefined;
    this.#stamp = stamp;
  }

  async #held(): Promise<Session> {
    for (;;) {
      if (this.#session !== undefined) return this.#session;
      await this.#regained(false);
    }
  }

  /** Waits until the store is held again; the patient for as long as it takes. */
  #regained(patient: boolean): Promise<void> {
    if (this.#closed) return Promise.reject(new StoreError('closed', 'the store is closed'));
    const refusal = this.#broken ?? (patient ? undefined : this.#outage);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (this.#session !== undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ patient, resolve, reject });
    });
  }

  #lose(reason: ConnectionLost): void {
    if (this.#closed || this.#broken !== undefined) return;
    const { address, patience, onNote } = this.#options;
    this.#session = undefined;
    this.#lostAt = performance.now();
    onNote({ event: 'lost', error: storeFailure(address, reason) });
    let last = storeFailure(address, reason);
    this.#patience = setTimeout(() => {
      this.#outage = last;
      this.#refuse(last, ({ patient }) => !patient);
      this.onOutage(last);
    }, patience);
    this.#patience.unref();
    void this.#regain((error) => {
      if (error.message !== last.message) onNote({ event: 'waiting', error });
      last = error;
      if (this.#outage !== undefined) this.#outage = error;
    });
  }

  async #regain(failed: (error: StoreError) => void): Promise<void> {
    for (
      let delay = firstRetry;
      !this.#closed && this.#broken === undefined;
      delay = Math.min(delay * 2, longestRetry)
    ) {
      try {
        await this.#resume();
        return;
      } catch (error) {
        failed(storeFailure(this.#options.address, error));
      }
      await pause(delay, undefined, { ref: false });
    }
  }

  /** One attempt to hold the store again. */
  async #resume(): Promise<void> {
    const { address, onNote } = this.#options;
    let taken = false;
    const session = await connect(address, {
      onLost: (reason) => {
        if (taken) this.#lose(reason);
      },
    });
    try {
      this.#recognise(await inspect(address, session));
      if (!(await lock(session))) {
        await endLeftover(session, this.#backend);
        throw storeInUse(address);
      }
      // Only now does it stand: whoever had the store before has ended, and with it all that it had sent.
      const found = await inspect(address, session);
      this.#recognise(found);
      if (session.isLost || this.#closed) throw storeInUse(address);
      if (this.#pending !== undefined) this.#stamp = found.stamp;
      this.#pending = undefined;
      this.#backend = found.backend;
    } catch (error) {
      await release(session);
      throw error;
    }
    taken = true;
    this.#session = session;
    this.#outage = undefined;
    clearTimeout(this.#patience);
    onNote({ event: 'regained', milliseconds: Math.round(performance.now() - this.#lostAt) });
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  // Another stamp than ours was left by another gateway, or stands in a copy of the database that is older than what we acknowledged.
  #recognise({ stamp }: Found): void {
    if (stamp !== this.#stamp && stamp !== this.#pending) throw this.#break();
  }

  #break(): StoreError {
    const text =
      'the store is not as this gateway left it: another one has used it, a copy was restored, or a server took over that lacks commits; start the gateway anew';
    const error = storeProblem(this.#options.address, 'failed', text);
    this.#broken = error;
    clearTimeout(this.#patience);
    this.#refuse(error, () => true);
    this.onOutage(error);
    this.#options.onNote({ event: 'broken', error });
    return error;
  }

  #refuse(error: StoreError, which: (waiting: Waiting) => boolean): void {
    const refused = this.#waiting.filter(which);
    this.#waiting = this.#waiting.filter((waiting) => !which(waiting));
    for (const { reject } of refused) reject(error);
  }
}

/** Waits for all; of several failures the one that caused the others is thrown, and a lost connection before any. */
async function together<const Results extends readonly unknown[]>(
  promises: { readonly [Index in keyof Results]: Promise<Results[Index]> },
): Promise<Results> {
  const settled = await Promise.allSettled(promises);
  const errors = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (errors.length > 0) {
    throw (
      errors.find((error) => error instanceof ConnectionLost) ??
      errors.find((error) => !followsAnother(error)) ??
      errors[0]
    );
  }
  return settled.map((one) => (one.status === 'fulfilled' ? one.value : undefined)) as unknown as Results;
}
