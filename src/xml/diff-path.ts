// Writes the selectors of composed patch operations, RFC 5261 4.1 and 7: by name, by key where there is one, else by position.
// Operations change a document from its end to its start, so a step must hold while later siblings are already the new ones.

import type { ElementId, OffsetIndex } from './offset-index.ts';

/** Attributes that tell siblings apart in group documents, resource lists and rules. */
const keyAttributes = ['uri', 'id'] as const;

/** An element on the way to the node that an operation acts on. */
export interface DiffPath {
  readonly outer?: DiffPath | undefined;
  readonly before: OffsetIndex;
  readonly element: ElementId;
  /** The new document, the parent there, and what the element has become; absent when nothing but this operation changes. */
  readonly now?:
    | {
        readonly after: OffsetIndex;
        readonly parent: ElementId;
        readonly partner: ElementId | undefined;
        readonly keys: KeyTables;
      }
    | undefined;
}

/** How often each key occurs among the children of an element; made once for all operations of a patch. */
export type KeyTables = Map<string, ReadonlyMap<string, number>>;

/** The first attribute of an element that is its key, with its value. */
export function keyOf(
  index: OffsetIndex,
  element: ElementId,
): { readonly name: string; readonly value: string } | undefined {
  for (const name of keyAttributes) {
    const value = index.attribute(element, name);
    if (value !== undefined) return { name, value };
  }
  return undefined;
}

/** The way to an element of a document that is otherwise as it was. */
export function pathTo(before: OffsetIndex, element: ElementId): DiffPath {
  const parent = before.parent(element);
  return { outer: parent < 0 ? undefined : pathTo(before, parent), before, element };
}

/**
 * The selector of an element. Prefixes that it uses are added to `used`, which holds those of the operation's content already; a name
 * whose prefix is taken for another namespace is written as `*` with its position.
 */
export function writePath(path: DiffPath, used: Map<string, string>): string {
  const step = writeStep(path, used);
  return path.outer === undefined ? step : `${writePath(path.outer, used)}/${step}`;
}

function writeStep(path: DiffPath, used: Map<string, string>): string {
  const { before, element } = path;
  const prefix = before.prefix(element);
  const namespace = before.namespace(element);
  const taken = used.get(prefix);
  const isRoot = path.outer === undefined;
  if (taken !== undefined && taken !== namespace) return isRoot ? '*' : `*[${ordinal(before, element, () => true)}]`;
  used.set(prefix, namespace);
  const name = prefix === '' ? before.localName(element) : `${prefix}:${before.localName(element)}`;
  return isRoot ? name : name + predicateOf(path);
}

function predicateOf(path: DiffPath): string {
  const { before, element, now } = path;
  const same = namedLike(before, element);
  const parent = before.parent(element);
  const partner = now?.partner;
  const stays = partner !== undefined && now !== undefined && same(now.after, partner);
  const isOnly = (test: (index: OffsetIndex, candidate: ElementId) => boolean): boolean =>
    count(before, parent, test) === 1 &&
    (now === undefined || count(now.after, now.parent, test) === (stays && test(now.after, partner) ? 1 : 0));
  if (isOnly(same)) return '';
  const key = keyOf(before, element);
  if (key !== undefined && !(key.value.includes("'") && key.value.includes('"'))) {
    const { name, value } = key;
    const keptBy = partner === undefined || now === undefined || now.after.attribute(partner, name) === value;
    if (keptBy && isOnlyKey(path, name, value, stays)) {
      return value.includes("'") ? `[@${name}="${value}"]` : `[@${name}='${value}']`;
    }
  }
  return `[${ordinal(before, element, same)}]`;
}

/** Whether the key stays the only one of its value among siblings of the name, while old ones become new ones. */
function isOnlyKey({ before, element, now }: DiffPath, attribute: string, value: string, stays: boolean): boolean {
  const same = namedLike(before, element);
  const parent = before.parent(element);
  if (now === undefined)
    return count(before, parent, (index, at) => same(index, at) && index.attribute(at, attribute) === value) === 1;
  const name = `${attribute} ${before.localName(element)} ${before.namespace(element)}`;
  const occurrences = (which: string, index: OffsetIndex, of: ElementId): number => {
    const key = `${which} ${of} ${name}`;
    const table = now.keys.get(key) ?? keyTable(index, of, same, attribute);
    now.keys.set(key, table);
    return table.get(value) ?? 0;
  };
  return occurrences('old', before, parent) === 1 && occurrences('new', now.after, now.parent) === (stays ? 1 : 0);
}

function keyTable(
  index: OffsetIndex,
  parent: ElementId,
  test: (index: OffsetIndex, candidate: ElementId) => boolean,
  attribute: string,
): ReadonlyMap<string, number> {
  const table = new Map<string, number>();
  for (let child = index.firstChild(parent); child >= 0; child = index.nextSibling(child)) {
    const value = test(index, child) ? index.attribute(child, attribute) : undefined;
    if (value !== undefined) table.set(value, (table.get(value) ?? 0) + 1);
  }
  return table;
}

function namedLike(before: OffsetIndex, element: ElementId): (index: OffsetIndex, candidate: ElementId) => boolean {
  const namespace = before.namespace(element);
  const localName = before.localName(element);
  return (index, candidate) => index.is(candidate, namespace, localName);
}

/** How many children pass a test; no more than two are counted. */
function count(
  index: OffsetIndex,
  parent: ElementId,
  test: (index: OffsetIndex, candidate: ElementId) => boolean,
): number {
  let found = 0;
  for (let child = index.firstChild(parent); child >= 0 && found < 2; child = index.nextSibling(child)) {
    if (test(index, child)) found++;
  }
  return found;
}

/** Place of an element, from 1, among the siblings that pass a test. */
function ordinal(
  index: OffsetIndex,
  element: ElementId,
  test: (index: OffsetIndex, candidate: ElementId) => boolean,
): number {
  let place = 0;
  for (let child = index.firstChild(index.parent(element)); child >= 0; child = index.nextSibling(child)) {
    if (test(index, child)) place++;
    if (child === element) break;
  }
  return place;
}
