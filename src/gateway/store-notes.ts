// What becomes of news from a store whose server may go away and come back.
import type { Logger } from 'pino';
import type { StoreNote } from '../store/postgres/postgres-store.ts';

/** Logs what happens to the connection, and ends the gateway by `fail` when it remembers something else than what is stored: a new one reads the truth. */
export function storeNotes(log: Logger, fail: (error: Error) => void): (note: StoreNote) => void {
  return (note) => {
    if (note.event === 'regained') log.warn({ milliseconds: note.milliseconds }, 'the store is reachable again');
    else log.error({ event: note.event }, `storage.postgres: ${note.error.message}`);
    if (note.event === 'broken') fail(note.error);
  };
}
