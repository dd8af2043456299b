// Elements that are in a namespace which this server says it understands, but have a name that its schema does not know.
// Schemas cannot say so where they let any other namespace in.

import { Refusal } from '../refusals.ts';
import { namespaces } from './names.ts';
import type { OffsetIndex } from './offset-index.ts';
import type { ElementName } from './offset-names.ts';

/**
 * The names of elements in namespaces whose specification is closed. Those of OMA and 3GPP grow with each release: what is not known in them is kept
 * and passed on (TS 24.481 clause 7.2.4).
 */
export const closedNamespaces: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  // RFC 4745 clause 13
  [
    namespaces.commonPolicy,
    new Set(
      'ruleset rule conditions actions transformations identity one many except sphere validity from until'.split(' '),
    ),
  ],
  // RFC 4826 clause 3.2
  [namespaces.resourceLists, new Set('resource-lists list entry entry-ref external display-name'.split(' '))],
  // RFC 4825 clause 12.2
  [namespaces.xcapCaps, new Set('xcap-caps auids auid extensions extension namespaces namespace'.split(' '))],
  [namespaces.xcapDirectory, new Set('xcap-directory folder entry error-code'.split(' '))],
]);

/**
 * Throws Refusal `schema-validation-error` for an element whose namespace is understood here and has no such element (RFC 4825 clause 8.2.5).
 */
export function checkElementNames(index: OffsetIndex): void {
  if (!index.elementNames.some(isUnknown)) return;
  // A name may be left over from the document before an edit
  for (let element = index.root; element < index.count; element++) {
    const name = { namespace: index.namespace(element), localName: index.localName(element) };
    if (!isUnknown(name)) continue;
    const phrase = `Element '{${name.namespace}}${name.localName}': The namespace has no such element.`;
    throw new Refusal('schema-validation-error', { phrase });
  }
}

function isUnknown({ namespace, localName }: Pick<ElementName, 'namespace' | 'localName'>): boolean {
  return closedNamespaces.get(namespace)?.has(localName) === false;
}
