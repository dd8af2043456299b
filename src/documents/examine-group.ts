// Looks at a group document on the thread that reads it, so that the one which serves need not; see SchemaLibrary.examine.

import { readGroup } from '../xml/group-document.ts';
import { checkElementNames } from '../xml/known-names.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import { checkGroupDocument } from './group-constraints.ts';

/** This module, for whoever hands it to a thread. */
export const groupExaminer = import.meta.url;

/** The canonical group IDs of a document that its schema has accepted. Throws the Refusal of the first broken rule, like the check itself. */
export function examine(index: OffsetIndex): readonly string[] {
  checkElementNames(index);
  return checkGroupDocument(index, readGroup(index));
}
