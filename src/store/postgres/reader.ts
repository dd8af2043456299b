// The session that reads, opened when it is needed. What was lost with a connection is asked again, for as long as it is worth waiting.
// It is one, so that answers come in the order of the questions: who asks later never learns of an earlier state.

// Taken from the module, not the globals: a faked clock must not stop the network.
import { setTimeout as pause } from 'node:timers/promises';
import type { PostgresAddress } from '../../postgres-url.ts';
import { StoreError } from '../store-error.ts';
import { ConnectionLost, sqlState, storeFailure } from './failures.ts';
import type { Session, Statement } from './session.ts';
import { connect } from './take-store.ts';

const retryInterval = 100;

export class Reader {
  readonly #address: PostgresAddress;
  readonly #patience: number;
  #session: Promise<Session> | undefined;
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
      this.#refuseClosed();
      const opening = this.#open();
      try {
        const { rows } = await (await opening).query<Row>(statement, values);
        this.#silentSince = undefined;
        return rows;
      } catch (error) {
        this.#refuseClosed();
        if (sqlState(error) !== undefined) throw storeFailure(this.#address, error);
        if (!(error instanceof ConnectionLost || error instanceof StoreError)) throw error;
        if (this.#session === opening) this.#session = undefined;
        this.#silentSince ??= performance.now();
        if (performance.now() - this.#silentSince >= this.#patience) throw storeFailure(this.#address, error);
      }
      await pause(retryInterval);
    }
  }

  /** Ends the session: the next reads, and those under way, go where the writer is. */
  renew(): void {
    void this.#end();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#end();
  }

  #refuseClosed(): void {
    if (this.#closed) throw new StoreError('closed', 'the store is closed');
  }

  #open(): Promise<Session> {
    if (this.#session === undefined) {
      this.#session = connect(this.#address);
      // Who asked hears of it
      this.#session.catch(() => undefined);
    }
    return this.#session;
  }

  async #end(): Promise<void> {
    const opening = this.#session;
    this.#session = undefined;
    const session = await opening?.catch(() => undefined);
    await session?.end();
  }
}
