// The write-ahead log of the database as a file to be made durable: SQLite writes it, the disk is waited for beside the event loop.
// The file is SQLite's "-wal"; which descriptor of a file is synced does not matter (fdatasync(2)).

import { closeSync, fdatasync, openSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';

/** What a commit queue needs to know of the log that its transactions go to. */
export interface CommitLog {
  /** Resolves when all that was written until now is on disk. Rejects with what the disk says. */
  sync(): Promise<void>;
  /** To be called after the database has been closed: closing any descriptor drops the locks of a process (fcntl(2)). */
  close(): void;
}

/** The log of a database that is open in WAL mode. */
export function commitLog(database: DatabaseSync): CommitLog {
  let descriptor: number | undefined;
  // It is there since the first transaction, and stays the same file until the database is closed
  const opened = (): number => {
    descriptor ??= openSync(`${database.location() ?? ''}-wal`, 'r+');
    return descriptor;
  };
  return {
    sync: () =>
      new Promise((resolve, reject) => {
        fdatasync(opened(), (error) => (error === null ? resolve() : reject(error)));
      }),
    close() {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
}
