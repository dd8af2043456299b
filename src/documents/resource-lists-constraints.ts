// What RFC 4826 clause 3.4.5 demands of resource-lists documents beyond their schema.

import { Refusal } from '../refusals.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { nodePath, type RepeatedValue, repeatedValues } from './node-path.ts';

/** Attribute that must be unique among siblings, by element name. */
const uniqueAttributes: ReadonlyMap<string, string> = new Map([
  ['list', 'name'],
  ['entry', 'uri'],
  ['entry-ref', 'ref'],
  ['external', 'anchor'],
]);

/** Throws Refusal `uniqueness-failure` or `constraint-failure` for the first broken rule. The schema must have accepted the document. */
export function checkResourceLists(index: OffsetIndex): void {
  const repeated: RepeatedValue[] = [];
  let broken: Refusal | undefined;
  const lists: ElementId[] = [index.root];
  for (let list = lists.pop(); list !== undefined; list = lists.pop()) {
    const seen = new Set<string>();
    for (const child of index.children(list)) {
      if (index.namespace(child) !== namespaces.resourceLists) continue;
      const name = index.localName(child);
      if (name === 'list') lists.push(child);
      const attribute = uniqueAttributes.get(name);
      const value = attribute === undefined ? undefined : index.attribute(child, attribute);
      if (attribute === undefined || value === undefined) continue;
      // RFC 4826 3.4.5: uniqueness is by case-sensitive string comparison
      const label = `${name} ${value}`;
      if (seen.has(label)) repeated.push({ element: child, attribute });
      seen.add(label);
      broken ??= brokenReference(index, child, name, value);
    }
  }
  // RFC 4825 8.2.5: uniqueness first, then other constraints
  if (repeated.length > 0) throw repeatedValues(index, repeated);
  if (broken !== undefined) throw broken;
}

function brokenReference(index: OffsetIndex, child: ElementId, name: string, value: string): Refusal | undefined {
  if (name === 'entry-ref' && !isRelativePath(value)) {
    return new Refusal('constraint-failure', {
      phrase: `${nodePath(index, child, 'ref')} must be a relative path reference`,
    });
  }
  if (name === 'external' && !isAbsoluteHttpUri(value)) {
    return new Refusal('constraint-failure', {
      phrase: `${nodePath(index, child, 'anchor')} must be an absolute HTTP URI`,
    });
  }
  return undefined;
}

// RFC 3986 4.2: path-noscheme or empty; neither a scheme nor a leading slash
function isRelativePath(value: string): boolean {
  return value !== '' && !value.startsWith('/') && !/^[^/?#]*:/.test(value);
}

function isAbsoluteHttpUri(value: string): boolean {
  return /^https?:\/\/[^/?#\s]+/i.test(value) && URL.canParse(value);
}
