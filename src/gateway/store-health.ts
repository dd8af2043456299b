// What becomes of news from a store whose server may go away and come back.
import type { Logger } from 'pino';
import type { StoreNote } from '../store/postgres/postgres-store.ts';

/** The connection to the store as operators and load balancers see it. */
export class StoreHealth {
  readonly #log: Logger;
  readonly #fail: (error: Error) => void;
  #problem: string | undefined;

  /** `fail` ends the gateway. */
  constructor(log: Logger, fail: (error: Error) => void) {
    this.#log = log;
    this.#fail = fail;
  }

  /** Why the gateway is not ready; undefined = it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  note(note: StoreNote): void {
    if (note.event === 'regained') {
      this.#problem = undefined;
      this.#log.warn({ milliseconds: note.milliseconds }, 'the store is reachable again');
      return;
    }
    this.#log.error({ event: note.event }, `storage.postgres: ${note.error.message}`);
    if (note.event !== 'unsafe') this.#problem = 'the store cannot be reached';
    // A gateway that remembers something else than what is stored tells its callers wrong things: a new one reads the truth.
    if (note.event === 'broken') this.#fail(note.error);
  }
}
