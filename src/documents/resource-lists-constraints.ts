// What RFC 4826 clause 3.4.5 demands of resource-lists documents beyond their schema.

import { Refusal } from '../refusals.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { nodePath } from './node-path.ts';

/** Attribute that must be unique among siblings, by element name. */
const uniqueAttributes: ReadonlyMap<string, string> = new Map([
  ['list', 'name'],
  ['entry', 'uri'],
  ['entry-ref', 'ref'],
  ['external', 'anchor'],
]);

/** Throws Refusal `uniqueness-failure` or `constraint-failure` for the first broken rule. The schema must have accepted the document. */
export function checkResourceLists(index: OffsetIndex): void {
  const lists: ElementId[] = [index.root];
  for (let list = lists.pop(); list !== undefined; list = lists.pop()) {
    const seen = new Set<string>();
    for (const child of index.children(list)) {
      if (index.namespace(child) !== namespaces.resourceLists) continue;
      const name = index.localName(child);
      if (name === 'list') lists.push(child);
      checkChild(index, child, name, seen);
    }
  }
}

function checkChild(index: OffsetIndex, child: ElementId, name: string, seen: Set<string>): void {
  const attribute = uniqueAttributes.get(name);
  const value = attribute === undefined ? undefined : index.attribute(child, attribute);
  if (attribute === undefined || value === undefined) return;
  if (name === 'entry-ref' && !isRelativePath(value)) {
    throw new Refusal('constraint-failure', {
      phrase: `${nodePath(index, child, 'ref')} must be a relative path reference`,
    });
  }
  if (name === 'external' && !isAbsoluteHttpUri(value)) {
    throw new Refusal('constraint-failure', {
      phrase: `${nodePath(index, child, 'anchor')} must be an absolute HTTP URI`,
    });
  }
  // RFC 4826 3.4.5: uniqueness is by case-sensitive string comparison
  const label = `${name} ${value}`;
  if (seen.has(label)) {
    throw new Refusal('uniqueness-failure', { exists: [{ field: nodePath(index, child, attribute), altValues: [] }] });
  }
  seen.add(label);
}

// RFC 3986 4.2: path-noscheme or empty; neither a scheme nor a leading slash
function isRelativePath(value: string): boolean {
  return value !== '' && !value.startsWith('/') && !/^[^/?#]*:/.test(value);
}

function isAbsoluteHttpUri(value: string): boolean {
  return /^https?:\/\/[^/?#\s]+/i.test(value) && URL.canParse(value);
}
