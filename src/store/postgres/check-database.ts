// Says beforehand why a database cannot be or become our store, and reads group documents out of it for commands that only look.
// Nothing is written or locked: a gateway may have the store open meanwhile.
import { parsePostgresUrl } from '../../postgres-url.ts';
import { StoreError } from '../store-error.ts';
import { reads } from './read-statements.ts';
import type { Session } from './session.ts';
import { connect, inspect } from './take-store.ts';

/** Documents read at most; those stored last come first. */
const mostDocuments = 500;

export interface DatabaseLook {
  /** Why the database cannot be opened as our store; absent = it can, as far as looking tells. */
  readonly problem?: string;
  /** Sources of foreign groups and group documents of our own; none when nothing is there yet. */
  readonly groups: readonly Uint8Array[];
}

/** Connects to the database that `url` names and looks. `auid`: application usage of group documents. */
export async function lookAtDatabase(url: string, auid: string): Promise<DatabaseLook> {
  const parsed = parsePostgresUrl(url);
  if ('problem' in parsed) return { problem: parsed.problem, groups: [] };
  let session: Session | undefined;
  try {
    session = await connect(parsed.address);
    const { version } = await inspect(parsed.address, session);
    if (version === undefined) return { groups: [] };
    const { rows } = await session.query<{ readonly bytes: Uint8Array }>(reads.groupsStoredLast, [auid, mostDocuments]);
    return { groups: rows.map(({ bytes }) => bytes) };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { problem: error.message, groups: [] };
  } finally {
    await session?.end();
  }
}
