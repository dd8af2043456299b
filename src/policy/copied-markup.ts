// Markup that is copied to another place of its document: its prefixes mean there what they meant where it stood.
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { escapeAttributeValue } from '../xml/splice.ts';

/** The declarations of an element itself, each behind a space, as a copy of its start tag needs them. */
export function ownDeclarations(index: OffsetIndex, element: ElementId): string {
  return index
    .namespaceDeclarations(element)
    .map(({ start, end }) => ` ${index.source(start, end)}`)
    .join('');
}

/** The source of an element with the declarations that it needs inside `place`, an element that it stands in or next to. */
export function copiedMarkup(index: OffsetIndex, element: ElementId, place: ElementId): string {
  const nameEnd = index.tagNameEnd(element);
  const head = index.source(index.outerStart(element), nameEnd);
  return `${head}${missingDeclarations(index, element, place)}${index.source(nameEnd, index.outerEnd(element))}`;
}

/** Declarations, each behind a space, of the prefixes that mean something else, or nothing, inside `place`. */
export function missingDeclarations(index: OffsetIndex, element: ElementId, place: ElementId): string {
  const here = index.namespacesInScope(element);
  const there = index.namespacesInScope(place);
  if (here === there) return '';
  const own = new Set(index.namespaceDeclarations(element).map(({ prefix }) => prefix));
  const missing = [...here].filter(([prefix, uri]) => !own.has(prefix) && there.get(prefix) !== uri);
  // Namespaces in XML 6.2: names without a prefix are in no namespace where the default one was taken away.
  if (!here.has('') && there.has('') && !own.has('')) missing.push(['', '']);
  return missing
    .map(([prefix, uri]) => ` xmlns${prefix === '' ? '' : `:${prefix}`}="${escapeAttributeValue(uri)}"`)
    .join('');
}
