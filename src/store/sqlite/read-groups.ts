// Reads group documents out of a store from outside, for commands that only look. A gateway may have the store open meanwhile.
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** Documents read at most; those stored last come first. */
const mostDocuments = 500;

/** Sources of foreign groups and group documents of our own in the store `file`; none when it cannot be read. */
export function storedGroups(file: string, auid: string): readonly Uint8Array[] {
  if (!existsSync(file)) return [];
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true });
    const sources = database.prepare('SELECT bytes FROM source ORDER BY id DESC LIMIT ?').all(mostDocuments);
    const own = database
      .prepare('SELECT bytes FROM document WHERE auid = ? ORDER BY id DESC LIMIT ?')
      .all(auid, mostDocuments);
    return [...sources, ...own].map(({ bytes }) => bytes).filter((bytes) => bytes instanceof Uint8Array);
  } catch {
    // Whatever is wrong with a store is told where stores are checked.
    return [];
  } finally {
    database?.close();
  }
}
