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

/** The children of all `list` elements of a `list-service`. */
export function listItems(index: OffsetIndex, listService: ElementId): readonly ElementId[] {
  return index.childrenNamed(listService, namespaces.listService, 'list').flatMap((list) => index.children(list));
}

/** True for an `entry` of a member list. */
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
