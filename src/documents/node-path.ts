// Where in a document something is wrong, in the form that `exists/@field` of an xcap-error wants (RFC 4825 clause 11.1).

import { Refusal } from '../refusals.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';

/**
 * Relative URI from the root element to an element or, with `attribute`, to one of its attributes in no namespace: unprefixed local names,
 * a position where siblings share the name, percent-encoded. Meant for elements in the default document namespace.
 */
export function nodePath(index: OffsetIndex, element: ElementId, attribute?: string): string {
  const steps: string[] = attribute === undefined ? [] : [`@${attribute}`];
  for (let at = element; at >= 0; at = index.parent(at)) steps.unshift(step(index, at));
  return steps.join('/');
}

function step(index: OffsetIndex, element: ElementId): string {
  const parent = index.parent(element);
  const name = index.localName(element);
  if (parent < 0) return name;
  const alike = index.childrenNamed(parent, index.namespace(element), name);
  return alike.length === 1 ? name : `${name}%5B${alike.indexOf(element) + 1}%5D`;
}

/** A value that another node has already: the attribute of an element, in no namespace. */
export interface RepeatedValue {
  readonly element: ElementId;
  readonly attribute: string;
}

/** Nodes that one refusal names; the path of each costs a look at all its siblings. */
const mostNamed = 20;

/** The Refusal `uniqueness-failure` that names each value which is not unique where it is repeated (RFC 4825 clause 11.1), up to twenty. */
export function repeatedValues(index: OffsetIndex, values: readonly RepeatedValue[]): Refusal {
  const exists = values
    .slice(0, mostNamed)
    .map(({ element, attribute }) => ({ field: nodePath(index, element, attribute), altValues: [] }));
  return new Refusal('uniqueness-failure', { exists });
}
