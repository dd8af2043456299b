// The offsets of a document after an edit, made from those before it: what stands behind the edit is moved, nothing is read again
// but the element that was put in. Pure; offset-index.ts gives it the records.

import type { XmlLimits } from './limits.ts';
import {
  type ElementName,
  field,
  type NamespaceScope,
  type OffsetScan,
  stride,
  XmlLimitExceeded,
} from './offset-scan.ts';

/** Replaces the bytes from `start` to `end` (exclusive) by `length` others. */
export interface ByteEdit {
  readonly start: number;
  readonly end: number;
  readonly length: number;
}

/** An edit that takes out at most one whole element and puts in at most one whole element. */
export interface ElementEdit extends ByteEdit {
  /** Into which element it goes, or out of which. */
  readonly parent: number;
  /** What is put in: a scan whose element 1 it is, element 0 standing for the parent with its bindings. */
  readonly inserted?: OffsetScan | undefined;
  /** Offset of the inserted element in the new bytes. */
  readonly insertedAt: number;
}

/** More names or scopes than this are made anew by a full scan, so that edit after edit cannot pile them up. */
const tableLimit = 4096;

/** Moves offsets behind an edit inside one start tag. */
export function editStartTag(
  { records, count, names, scopes }: OffsetScan,
  { start, end, length }: ByteEdit,
): OffsetScan {
  const delta = length - (end - start);
  const moved = records.slice();
  for (let base = 0; base < count * stride; base += stride) {
    for (let place: number = field.outerStart; place <= field.outerEnd; place++) {
      const offset = moved[base + place] ?? 0;
      if (offset > start) moved[base + place] = offset + delta;
    }
  }
  return { records: moved, count, names, scopes };
}

/**
 * The records after an element edit. Undefined when a full scan is the better way: the document element itself is replaced, or
 * the tables have grown too much. Throws XmlLimitExceeded.
 */
export function editElements(scan: OffsetScan, edit: ElementEdit, limits: XmlLimits): OffsetScan | undefined {
  if (edit.parent < 0) return undefined;
  const added = edit.inserted === undefined ? undefined : joinTables(scan, edit.parent, edit.inserted, limits);
  const names = added?.names ?? scan.names;
  const scopes = added?.scopes ?? scan.scopes;
  if (names.length > tableLimit || scopes.length > tableLimit) return undefined;
  const first = firstFrom(scan, edit.start);
  const behind = firstFrom(scan, edit.end);
  if (edit.inserted !== undefined) checkDepth(scan, edit.parent, edit.inserted, limits);
  const addedCount = edit.inserted === undefined ? 0 : edit.inserted.count - 1;
  const count = scan.count - (behind - first) + addedCount;
  if (count > limits.elements) throw new XmlLimitExceeded('too many elements');

  const records = new Int32Array(count * stride);
  const shift = count - scan.count;
  const delta = edit.length - (edit.end - edit.start);
  const moveElement = (element: number): number => (element >= behind ? element + shift : element);
  copyBefore(scan.records, records, first, edit.start, delta, moveElement);
  copyBehind(scan.records, records, behind, scan.count, shift, delta);
  if (added !== undefined && edit.inserted !== undefined) {
    copyInserted(edit.inserted, records, first, edit, added);
  }
  link(scan.records, records, edit.parent, { first, behind, shift, addedCount });
  return { records, count, names, scopes };
}

function checkDepth({ records }: OffsetScan, parent: number, inserted: OffsetScan, limits: XmlLimits): void {
  let around = 0;
  for (let at = parent; at >= 0; at = records[at * stride + field.parent] ?? -1) around++;
  const depths = new Int32Array(inserted.count);
  for (let element = 1; element < inserted.count; element++) {
    const depth = (depths[inserted.records[element * stride + field.parent] ?? 0] ?? 0) + 1;
    if (around + depth > limits.elementDepth) throw new XmlLimitExceeded('elements are nested too deeply');
    depths[element] = depth;
  }
}

/** The first element that starts at an offset or behind it. */
function firstFrom({ records, count }: OffsetScan, offset: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((records[middle * stride + field.outerStart] ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function copyBefore(
  from: Int32Array,
  to: Int32Array,
  first: number,
  start: number,
  delta: number,
  moveElement: (element: number) => number,
): void {
  to.set(from.subarray(0, first * stride));
  for (let base = 0; base < first * stride; base += stride) {
    // An element before the edit that ends behind it is one of those around it.
    if ((from[base + field.outerEnd] ?? 0) > start) {
      to[base + field.closeStart] = (from[base + field.closeStart] ?? 0) + delta;
      to[base + field.outerEnd] = (from[base + field.outerEnd] ?? 0) + delta;
    }
    to[base + field.firstChild] = moveElement(from[base + field.firstChild] ?? -1);
    to[base + field.nextSibling] = moveElement(from[base + field.nextSibling] ?? -1);
  }
}

function copyBehind(
  from: Int32Array,
  to: Int32Array,
  behind: number,
  count: number,
  shift: number,
  delta: number,
): void {
  to.set(from.subarray(behind * stride, count * stride), (behind + shift) * stride);
  for (let base = (behind + shift) * stride; base < (count + shift) * stride; base += stride) {
    for (let place: number = field.outerStart; place <= field.outerEnd; place++)
      to[base + place] = (to[base + place] ?? 0) + delta;
    for (let place: number = field.parent; place <= field.nextSibling; place++) {
      const element = to[base + place] ?? -1;
      if (element >= behind) to[base + place] = element + shift;
    }
  }
}

/** Tables of a document that has taken up those of an inserted element, and where the latter's entries went. */
interface JoinedTables {
  readonly names: readonly ElementName[];
  readonly scopes: readonly NamespaceScope[];
  readonly nameIds: readonly number[];
  readonly scopeIds: ReadonlyMap<number, number>;
}

function joinTables(scan: OffsetScan, parent: number, inserted: OffsetScan, limits: XmlLimits): JoinedTables {
  const names = [...scan.names];
  const known = new Map(names.map((name, id) => [nameKey(name), id]));
  const nameIds = inserted.names.map((name) => {
    const id = known.get(nameKey(name)) ?? names.push(name) - 1;
    known.set(nameKey(name), id);
    return id;
  });
  const scopes = [...scan.scopes];
  const outerScope = scan.records[parent * stride + field.scope] ?? -1;
  // Whatever the stand-in for the parent declares is what is in scope at the parent.
  const scopeIds = new Map([
    [-1, outerScope],
    [inserted.records[field.scope] ?? -1, outerScope],
  ]);
  for (const [id, { outer, declarations }] of inserted.scopes.entries()) {
    if (scopeIds.has(id)) continue;
    const around = scopeIds.get(outer) ?? outerScope;
    const size = (scopes[around]?.size ?? 0) + declarations.length;
    if (size > limits.namespacesInScope) throw new XmlLimitExceeded('too many namespace declarations in scope');
    scopeIds.set(id, scopes.push({ outer: around, declarations, size }) - 1);
  }
  return { names, scopes, nameIds, scopeIds };
}

function nameKey({ prefix, localName, namespace }: ElementName): string {
  return `${prefix}:${localName} ${namespace}`;
}

function copyInserted(
  { records: from, count }: OffsetScan,
  to: Int32Array,
  first: number,
  { parent, insertedAt }: ElementEdit,
  { nameIds, scopeIds }: JoinedTables,
): void {
  const move = insertedAt - (from[stride + field.outerStart] ?? 0);
  // Element 1 of the insertion becomes `first`.
  const renumber = (element: number): number => (element < 0 ? -1 : element - 1 + first);
  for (let element = 1; element < count; element++) {
    const source = element * stride;
    const target = (first + element - 1) * stride;
    for (let place: number = field.outerStart; place <= field.outerEnd; place++)
      to[target + place] = (from[source + place] ?? 0) + move;
    to[target + field.parent] = element === 1 ? parent : renumber(from[source + field.parent] ?? -1);
    to[target + field.firstChild] = renumber(from[source + field.firstChild] ?? -1);
    to[target + field.nextSibling] = renumber(from[source + field.nextSibling] ?? -1);
    to[target + field.name] = nameIds[from[source + field.name] ?? -1] ?? -1;
    to[target + field.scope] = scopeIds.get(from[source + field.scope] ?? -1) ?? -1;
  }
}

/** Puts the siblings around the edit into their chain again. */
function link(
  from: Int32Array,
  to: Int32Array,
  parent: number,
  {
    first,
    behind,
    shift,
    addedCount,
  }: { readonly first: number; readonly behind: number; readonly shift: number; readonly addedCount: number },
): void {
  let previous = -1;
  let next = from[parent * stride + field.firstChild] ?? -1;
  while (next >= 0 && next < behind) {
    if (next < first) previous = next;
    next = from[next * stride + field.nextSibling] ?? -1;
  }
  const nextNow = next < 0 ? -1 : next + shift;
  const following = addedCount > 0 ? first : nextNow;
  if (previous < 0) to[parent * stride + field.firstChild] = following;
  else to[previous * stride + field.nextSibling] = following;
  if (addedCount > 0) to[first * stride + field.nextSibling] = nextNow;
}

/** The parent `<p/>` of an insertion has become `<p>…</p>`: its start tag ends one byte earlier, its end tag stands behind the insertion. */
export function openEmptyTag(scan: OffsetScan, parent: number, insertedLength: number): void {
  const base = parent * stride;
  const openEnd = (scan.records[base + field.openEnd] ?? 0) - 1;
  scan.records[base + field.openEnd] = openEnd;
  scan.records[base + field.closeStart] = openEnd + insertedLength;
}
