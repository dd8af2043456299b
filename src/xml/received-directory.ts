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

/** Entries of all folders, in document order. Throws Refusal `bad-request` when the document is no directory. */
export function readXcapDirectory(index: OffsetIndex): readonly ReceivedDirectoryEntry[] {
  if (!index.is(index.root, namespaces.xcapDirectory, 'xcap-directory')) {
    throw new Refusal('bad-request', { phrase: 'The body is no xcap-directory document' });
  }
  const entries: ReceivedDirectoryEntry[] = [];
  for (const folder of index.children(index.root)) {
    if (!index.is(folder, namespaces.xcapDirectory, 'folder')) continue;
    for (const entry of index.children(folder)) {
      const uri = index.attribute(entry, 'uri');
      if (!index.is(entry, namespaces.xcapDirectory, 'entry') || uri === undefined) continue;
      const tag = index.attribute(entry, 'etag')?.replace(/^"(.*)"$/, '$1');
      entries.push({ uri, ...(tag === undefined ? {} : { tag }) });
    }
  }
  return entries;
}
