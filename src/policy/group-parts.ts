// The parts of a group document that rules act on, found in its offset index.
// TS 24.481 clause 7.2, RFC 4745 clause 13.
import type { McService } from '../config/schema.ts';
import { serviceOfEnabler } from '../xml/group-document.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';

/** The `list-service` elements of a document. */
export function listServices(index: OffsetIndex): readonly ElementId[] {
  return index.childrenNamed(index.root, namespaces.listService, 'list-service');
}

/** All `oxe:service` elements of a `list-service`. */
export function serviceElements(index: OffsetIndex, listService: ElementId): readonly ElementId[] {
  return index
    .childrenNamed(listService, namespaces.omaExtensions, 'supported-services')
    .flatMap((supported) => index.childrenNamed(supported, namespaces.omaExtensions, 'service'));
}

/** The MC services that a `list-service` names as supported. */
export function supportedServices(index: OffsetIndex, listService: ElementId): ReadonlySet<McService> {
  const found = new Set<McService>();
  for (const element of serviceElements(index, listService)) {
    const service = serviceOfEnabler(index.attribute(element, 'enabler') ?? '');
    if (service !== undefined) found.add(service);
  }
  return found;
}

/** The `cp:rule` elements of a `list-service`. */
export function authorisationRules(index: OffsetIndex, listService: ElementId): readonly ElementId[] {
  return index
    .childrenNamed(listService, namespaces.commonPolicy, 'ruleset')
    .flatMap((ruleset) => index.childrenNamed(ruleset, namespaces.commonPolicy, 'rule'));
}

/**
 * What stands for members of a `list-service`, in document order: its entries, wherever they stand (a schema lets them into extensions, too),
 * and what names members that are listed elsewhere. The lists themselves are none, but for those in other lists.
 */
export function listItems(index: OffsetIndex, listService: ElementId): readonly ElementId[] {
  const found: ElementId[] = [];
  const end = index.outerEnd(listService);
  // Large groups have a hundred thousand elements, and rules look at them again and again.
  for (let at = listService + 1; at < index.count && index.outerStart(at) < end; at++) {
    if (isEntry(index, at)) found.push(at);
    else if (isUnresolved(index, at) && (!isList(index, at) || isInList(index, at))) found.push(at);
  }
  return found;
}

/** Elements of an entry that carry an identity: the entry itself, MCVideo and MCData IDs, also those that a release put into `anyExt`. */
export function identityElements(index: OffsetIndex, entry: ElementId): readonly ElementId[] {
  const found = [entry];
  addServiceIds(index, entry, found);
  return found;
}

function addServiceIds(index: OffsetIndex, parent: ElementId, found: ElementId[]): void {
  for (let child = index.firstChild(parent); child >= 0; child = index.nextSibling(child)) {
    if (isServiceId(index, child)) found.push(child);
    // What stands in an entry of its own is that one's.
    if (index.firstChild(child) >= 0 && !isEntry(index, child)) addServiceIds(index, child, found);
  }
}

/** MCVideo and MCData IDs of a `list-service` that belong to no entry. */
export function strayIdentities(index: OffsetIndex, listService: ElementId): readonly ElementId[] {
  const found: ElementId[] = [];
  const end = index.outerEnd(listService);
  for (let at = listService + 1; at < index.count && index.outerStart(at) < end; at++) {
    if (isServiceId(index, at) && !isBelow(index, at, isEntry)) found.push(at);
  }
  return found;
}

function isServiceId(index: OffsetIndex, element: ElementId): boolean {
  const name = index.localName(element);
  const isId = name === 'mcvideo-mcvideo-id' || name === 'mcdata-mcdata-id';
  return isId && index.namespace(element) === namespaces.mcpttGroupInfo;
}

function isList(index: OffsetIndex, element: ElementId): boolean {
  return index.localName(element) === 'list';
}

function isInList(index: OffsetIndex, element: ElementId): boolean {
  return isBelow(index, element, (_, above) => isList(index, above) && isListNamespace(index.namespace(above)));
}

function isBelow(
  index: OffsetIndex,
  element: ElementId,
  is: (index: OffsetIndex, above: ElementId) => boolean,
): boolean {
  for (let above = index.parent(element); above >= 0; above = index.parent(above)) if (is(index, above)) return true;
  return false;
}

/** True for an entry of a member. */
export function isEntry(index: OffsetIndex, element: ElementId): boolean {
  return index.localName(element) === 'entry' && isListNamespace(index.namespace(element));
}

/** True for a list item that stands for members which the document does not name (`external`, `entry-ref`, a nested `list`). */
export function isUnresolved(index: OffsetIndex, element: ElementId): boolean {
  const name = index.localName(element);
  const reference = name === 'external' || name === 'entry-ref' || name === 'list';
  return reference && isListNamespace(index.namespace(element));
}

// OMA's list has RFC 4826's structure in its own namespace; vendors mix the two.
function isListNamespace(namespace: string): boolean {
  return namespace === namespaces.listService || namespace === namespaces.resourceLists;
}
