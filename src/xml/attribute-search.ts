// Finds start tags by the value of an attribute in the bytes of a document, without reading every start tag: long lists hold thousands.

import type { ElementId, OffsetIndex } from './offset-index.ts';

/** With more hits than this, reading the start tags one by one is no slower, so that no choice of value makes a search long. */
const mostHits = 1024;
/** XML 1.0 3.3.3: white space of a value may be written in several ways. */
const whiteSpace = /[\t\n\r ]/;

/**
 * The children of `parent` whose start tags hold `value` between quotes, and those that hold a reference, in document order: every child with
 * an attribute of this value is among them. Undefined when they cannot be told from the bytes, or are too many.
 */
export function* findingStartTags(
  index: OffsetIndex,
  parent: ElementId,
  value: string,
): Generator<void, readonly ElementId[] | undefined> {
  if (whiteSpace.test(value)) return undefined;
  const start = index.openEnd(parent);
  const { buffer, byteOffset } = index.bytes;
  const content = Buffer.from(buffer, byteOffset + start, index.closeStart(parent) - start);
  const found = new Set<ElementId>();
  let hits = 0;
  // A reference may stand for any character of the value
  for (const written of [`"${value}"`, `'${value}'`, '&']) {
    for (let at = content.indexOf(written); at >= 0; at = content.indexOf(written, at + 1)) {
      if (++hits > mostHits) return undefined;
      const element = startTagAt(index, start + at);
      if (element >= 0 && index.parent(element) === parent) found.add(element);
    }
    yield;
  }
  return [...found].sort((one, other) => one - other);
}

/** The element in whose start tag an offset lies, -1 when it lies in none. */
function startTagAt(index: OffsetIndex, offset: number): ElementId {
  let low = 0;
  let high = index.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (index.outerStart(middle) <= offset) low = middle + 1;
    else high = middle;
  }
  const element = low - 1;
  return element >= 0 && offset < index.openEnd(element) ? element : -1;
}
