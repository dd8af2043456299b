// Why a store could not be opened or used, by name, so that the start can say it in one line.
// Never shown to peers: faces turn it into the refusal `unavailable`.

/**
 * `in-use`: another process holds it. `not-a-store`: something else is there. `newer-version`: written by a newer release.
 * `not-writable`: missing rights, read-only or no directory. `unreachable`: the database server cannot be reached now.
 * `refused`: the server knows us, our password or the database not. `closed`: used after `close`. `failed`: the disk or the engine failed.
 */
export type StoreErrorReason =
  | 'in-use'
  | 'not-a-store'
  | 'newer-version'
  | 'not-writable'
  | 'unreachable'
  | 'refused'
  | 'closed'
  | 'failed';

/** A store that cannot be opened or cannot do what was asked; `message` names the file or the database. */
export class StoreError extends Error {
  readonly reason: StoreErrorReason;

  constructor(reason: StoreErrorReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StoreError';
    this.reason = reason;
  }
}
