// Reads a received directory of documents (OMA XDM `xcap-directory`): which documents there are, by URI.
import { Refusal } from '../refusals.ts';
import { namespaces } from './names.ts';
import type { OffsetIndex } from './offset-index.ts';

export interface ReceivedDirectoryEntry {
  /** As written. */
  readonly uri: string;
  /** Entity tag as received, without quotes. */
  readonly tag?: string | undefined;
}

/** Entries read between two places where others may have their turn. */
const sliceLength = 200;

/**
 * Gives the entries of all folders, in document order, with places in between (undefined) where it can be interrupted: a directory can be
 * long. Throws Refusal `bad-request` when the document is no directory.
 */
export function* readingXcapDirectory(index: OffsetIndex): Generator<ReceivedDirectoryEntry | undefined, void> {
  if (!index.is(index.root, namespaces.xcapDirectory, 'xcap-directory')) {
    throw new Refusal('bad-request', { phrase: 'The body is no xcap-directory document' });
  }
  let read = 0;
  for (const folder of index.children(index.root)) {
    if (!index.is(folder, namespaces.xcapDirectory, 'folder')) continue;
    for (const entry of index.children(folder)) {
      read += 1;
      if (read % sliceLength === 0) yield undefined;
      const uri = index.attribute(entry, 'uri');
      if (!index.is(entry, namespaces.xcapDirectory, 'entry') || uri === undefined) continue;
      const tag = index.attribute(entry, 'etag')?.replace(/^"(.*)"$/, '$1');
      yield { uri, ...(tag === undefined ? {} : { tag }) };
    }
  }
}
