// A group document without those list entries that an edit did not touch. Its schema lets a list have any children in any number and order,
// and knows no limit to what two of them say together: what it accepted before the edit it accepts again, and need not be asked about.

import { namespaces } from './names.ts';
import type { ByteEdit } from './offset-edit.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';
import { type Edit, splice } from './splice.ts';

/** Fewer octets than this are judged sooner than looked for. */
const worthwhile = 16 * 1024;

/**
 * What the `groups` schema must still be asked about after `edit` (its offsets are those before it) has made the document of `index` from
 * one that the schema had accepted: the result conforms exactly when the document does. Undefined when the whole document is to be judged.
 */
export function withoutUntouchedEntries(index: OffsetIndex, edit: ByteEdit): Uint8Array | undefined {
  if (!index.is(index.root, namespaces.listService, 'group') || namesIdentifiers(index)) return undefined;
  const cuts: Edit[] = [];
  for (const service of index.childrenNamed(index.root, namespaces.listService, 'list-service')) {
    for (const list of index.childrenNamed(service, namespaces.listService, 'list')) {
      for (const run of untouchedRuns(index, list, edit)) {
        if (holdsRules(index, run)) return undefined;
        cuts.push({ start: index.outerStart(run.first), end: index.outerEnd(run.last), replacement: '' });
      }
    }
  }
  const octets = cuts.reduce((sum, { start, end }) => sum + end - start, 0);
  return octets < worthwhile ? undefined : splice(index.bytes, cuts);
}

/** XML Schema 3.3.4: an ID is unique in its whole document, and `xsi:type` may make one of any attribute. */
function namesIdentifiers(index: OffsetIndex): boolean {
  const { buffer, byteOffset, byteLength } = index.bytes;
  return index.declares(namespaces.schemaInstance) || Buffer.from(buffer, byteOffset, byteLength).includes('xml:id');
}

/** Neighbouring children of one list. */
interface Run {
  readonly first: ElementId;
  readonly last: ElementId;
}

/** The children of a list before the edit and behind it. */
function untouchedRuns(index: OffsetIndex, list: ElementId, { start, length }: ByteEdit): readonly Run[] {
  const runs: Run[] = [];
  let first = -1;
  let last = -1;
  for (let child = index.firstChild(list); child >= 0; child = index.nextSibling(child)) {
    const touched = index.outerEnd(child) > start && index.outerStart(child) < start + length;
    if (!touched) {
      if (first < 0) first = child;
      last = child;
    } else if (first >= 0) {
      runs.push({ first, last });
      first = -1;
    }
  }
  if (first >= 0) runs.push({ first, last });
  return runs;
}

// RFC 4745 13: the id of a rule is an xs:ID, the only one of all the schemas of a group document
function holdsRules(index: OffsetIndex, { first, last }: Run): boolean {
  const end = index.outerEnd(last);
  for (let element = first; element < index.count && index.outerStart(element) < end; element++) {
    if (index.namespace(element) === namespaces.commonPolicy) return true;
  }
  return false;
}
