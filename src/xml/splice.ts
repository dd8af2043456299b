// Edits the bytes of a document: what an edit does not name stays as it is, octet for octet.
// Also the small pieces of markup that edits put in, escaped for the place where they land.

import { escapeAttributeValue } from './character-data.ts';
import type { AttributeView, ElementId, OffsetIndex } from './offset-index.ts';

export { escapeAttributeValue, escapeText } from './character-data.ts';

/** Replaces the bytes from `start` to `end` (exclusive); equal offsets insert. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly replacement: Uint8Array | string;
}

/** Applies edits, sorted by offset and not overlapping, to bytes, which stay untouched. Throws RangeError for edits out of order. */
export function splice(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const edit of edits) {
    if (edit.start < at || edit.end < edit.start || edit.end > bytes.length) {
      throw new RangeError(`edit ${edit.start}-${edit.end} overlaps another, stands before one, or lies outside`);
    }
    parts.push(bytes.subarray(at, edit.start));
    parts.push(typeof edit.replacement === 'string' ? Buffer.from(edit.replacement) : edit.replacement);
    at = edit.end;
  }
  parts.push(bytes.subarray(at));
  return Buffer.concat(parts);
}

/** Sorts edits by offset, so that edits found in any order can be spliced; insertions at one place keep their order. */
export function inOrder(edits: readonly Edit[]): readonly Edit[] {
  return [...edits].sort((one, other) => one.start - other.start || one.end - other.end);
}

/** The document without one element; white space around it stays. */
export function withoutElement(index: OffsetIndex, element: ElementId): Uint8Array {
  return splice(index.bytes, [{ start: index.outerStart(element), end: index.outerEnd(element), replacement: '' }]);
}

/** The edit that gives an existing attribute another value; its quotes stay. */
export function attributeValueEdit(attribute: AttributeView, value: string): Edit {
  return { start: attribute.valueStart, end: attribute.valueEnd, replacement: escapeAttributeValue(value) };
}

/** The edit that removes an attribute with the white space before it. */
export function attributeRemovalEdit(index: OffsetIndex, attribute: AttributeView): Edit {
  let start = attribute.start;
  while (isBlank(index.bytes[start - 1])) start--;
  return { start, end: attribute.end, replacement: '' };
}

/** The edit that puts markup in as the last content of an element; an empty tag is opened for it. */
export function appendEdit(index: OffsetIndex, parent: ElementId, content: Uint8Array | string): Edit {
  if (!index.isEmptyTag(parent)) {
    const at = index.closeStart(parent);
    return { start: at, end: at, replacement: content };
  }
  const name = index.source(index.outerStart(parent) + 1, index.tagNameEnd(parent));
  const end = index.outerEnd(parent);
  const replacement = Buffer.concat([
    Buffer.from('>'),
    typeof content === 'string' ? Buffer.from(content) : content,
    Buffer.from(`</${name}>`),
  ]);
  return { start: end - 2, end, replacement };
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}
