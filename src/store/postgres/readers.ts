// The sessions that read: a few, opened when they are needed. What was lost with a connection is asked again, for as long as it is worth waiting.

// Taken from the module, not the globals: a faked clock must not stop the network.
import { setTimeout as pause } from 'node:timers/promises';
import type { PostgresAddress } from '../../postgres-url.ts';
import { StoreError } from '../store-error.ts';
import { ConnectionLost, sqlState, storeFailure } from './failures.ts';
import type { Session, Statement } from './session.ts';
import { connect } from './take-store.ts';

const mostSessions = 3;
const retryInterval = 100;

export class Readers {
  readonly #address: PostgresAddress;
  readonly #patience: number;
  #sessions: Promise<Session>[] = [];
  /** How many reads use each of them. */
  readonly #users = new Map<Promise<Session>, number>();
  /** Since when no read got an answer, by the monotonic clock. */
  #silentSince: number | undefined;
  #closed = false;

  /** `patience`: milliseconds that a read waits for a lost connection. */
  constructor(address: PostgresAddress, patience: number) {
    this.#address = address;
    this.#patience = patience;
  }

  /** All rows. Rejects with StoreError. */
  async rows<Row>(statement: Statement, values: readonly unknown[] = []): Promise<readonly Row[]> {
    // PostgreSQL keeps no U+0000 in texts, and refuses to compare with it.
    if (values.some((value) => typeof value === 'string' && value.includes('\0'))) return [];
    for (;;) {
      if (this.#closed) throw new StoreError('closed', 'the store is closed');
      const chosen = this.#choose();
      this.#users.set(chosen, (this.#users.get(chosen) ?? 0) + 1);
      try {
        const { rows } = await (await chosen).query<Row>(statement, values);
        this.#silentSince = undefined;
        return rows;
      } catch (error) {
        if (this.#closed) throw new StoreError('closed', 'the store is closed');
        if (sqlState(error) !== undefined) throw storeFailure(this.#address, error);
        if (!(error instanceof ConnectionLost || error instanceof StoreError)) throw error;
        this.#drop(chosen);
        this.#silentSince ??= performance.now();
        if (performance.now() - this.#silentSince >= this.#patience) throw storeFailure(this.#address, error);
      } finally {
        this.#users.set(chosen, (this.#users.get(chosen) ?? 1) - 1);
        if (!this.#sessions.includes(chosen)) this.#users.delete(chosen);
      }
      await pause(retryInterval);
    }
  }

  /** Ends the sessions: the next reads, and those under way, go where the writer is. */
  renew(): void {
    for (const session of this.#sessions.splice(0)) void endOpened(session);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const sessions = this.#sessions.splice(0);
    await Promise.all(sessions.map((session) => session.then((open) => open.end()).catch(() => undefined)));
  }

  #choose(): Promise<Session> {
    const free = this.#sessions.find((session) => (this.#users.get(session) ?? 0) === 0);
    if (free !== undefined) return free;
    if (this.#sessions.length < mostSessions) {
      const session = connect(this.#address);
      // Who asked hears of it
      session.catch(() => undefined);
      this.#sessions.push(session);
      return session;
    }
    return this.#sessions.reduce((least, one) =>
      (this.#users.get(one) ?? 0) < (this.#users.get(least) ?? 0) ? one : least,
    );
  }

  #drop(session: Promise<Session>): void {
    this.#sessions = this.#sessions.filter((one) => one !== session);
  }
}

async function endOpened(opening: Promise<Session>): Promise<void> {
  const session = await opening.catch(() => undefined);
  await session?.end();
}
