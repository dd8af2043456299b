// Says beforehand why a file cannot be or become our store. Only looks: nothing is created, locked or written.
// Not for a process that has the store open: closing the descriptor used here would drop the locks of that store.
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { folderProblem } from '../../folders.ts';
import { applicationId, migrations } from './migrations.ts';

/** Octets of the header of a database, <https://www.sqlite.org/fileformat2.html>. */
const headerLength = 100;

/** Why `file` cannot be opened as our store; undefined when it can, as far as looking tells. */
export function storeFileProblem(file: string): string | undefined {
  const path = resolve(file);
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) {
      const problem = folderProblem(dirname(path));
      return problem === undefined ? undefined : `${path} cannot be created: ${problem}`;
    }
    if (!found.isFile()) return `${path} is no file`;
    accessSync(path, constants.R_OK | constants.W_OK);
    return found.size === 0 ? undefined : headerProblem(path, found.size);
  } catch (error) {
    return `${path} cannot be used: ${(error as Error).message}`;
  }
}

function headerProblem(path: string, size: number): string | undefined {
  const header = Buffer.alloc(headerLength);
  const descriptor = openSync(path, 'r');
  try {
    readSync(descriptor, header, 0, headerLength, 0);
  } finally {
    closeSync(descriptor);
  }
  if (header.toString('latin1', 0, 16) !== 'SQLite format 3\0') return `${path} is not a SQLite database`;
  const pageSize = header.readUInt16BE(16);
  const version = header.readUInt32BE(60);
  const application = header.readUInt32BE(68);
  // What a crash left in the log beside it is not in the header yet.
  const isEmpty = application === 0 && version === 0 && size <= (pageSize === 1 ? 65_536 : pageSize);
  if (application !== applicationId && !isEmpty) return `${path} is a database of another program`;
  if (version > migrations.length) return `${path} is a store of a newer release`;
  return undefined;
}
