// Attributes and namespace declarations of one start tag, read from its bytes when somebody asks: the index keeps none of them.
// Offsets count bytes of the document; `from` stands behind the name of the tag, `end` behind its ">".

import { decodeAttributeValue } from './character-data.ts';
import { isSpace } from './offset-scan.ts';

/** One attribute; namespace declarations are none. `start` to `end` covers name, "=" and quotes. */
export interface AttributeView {
  readonly namespace: string;
  readonly prefix: string;
  readonly localName: string;
  /** Normalised, references decoded. */
  readonly value: string;
  readonly start: number;
  readonly end: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly quote: '"' | "'";
}

/** One namespace declaration of a start tag; the prefix of the default namespace is ''. */
export interface NamespaceDeclaration {
  readonly prefix: string;
  readonly uri: string;
  readonly start: number;
  readonly end: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** Offsets of one raw attribute of a start tag, namespace declarations included. */
export interface RawAttribute {
  nameStart: number;
  nameEnd: number;
  valueStart: number;
  valueEnd: number;
}

/** Offset behind a name that starts at `from`. */
export function nameEnd(buffer: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && buffer[at] !== 0x3e && buffer[at] !== 0x2f && !isSpace(buffer[at])) at++;
  return at;
}

/** The attributes of a start tag in their order, declarations included. All are the same object, which changes. */
export function* rawAttributes(buffer: Buffer, from: number, end: number): Iterable<RawAttribute> {
  const cursor: RawAttribute = { nameStart: 0, nameEnd: 0, valueStart: 0, valueEnd: 0 };
  for (let at = from; moveTo(cursor, buffer, at, end); at = cursor.valueEnd + 1) yield cursor;
}

/** Moves a cursor to the next attribute at or after an offset; answers whether there is one. */
function moveTo(cursor: RawAttribute, buffer: Buffer, from: number, end: number): boolean {
  let at = from;
  while (at < end && isSpace(buffer[at])) at++;
  if (at >= end || buffer[at] === 0x3e || buffer[at] === 0x2f) return false;
  cursor.nameStart = at;
  while (at < end && buffer[at] !== 0x3d && !isSpace(buffer[at])) at++;
  cursor.nameEnd = at;
  while (at < end && buffer[at] !== 0x22 && buffer[at] !== 0x27) at++;
  const quote = buffer[at++];
  cursor.valueStart = at;
  const near = Math.min(end, at + 64);
  while (at < near && buffer[at] !== quote) at++;
  // A long value is searched by the machine; what is well-formed has its other quote
  if (at === near && at < end) at = quote === undefined ? end : buffer.indexOf(quote, at);
  cursor.valueEnd = at < 0 ? end : at;
  return true;
}

/** Value of the attribute that is written under this name without prefix; undefined when there is none. Throws UndefinedReference. */
export function unprefixedValue(buffer: Buffer, from: number, end: number, name: string): string | undefined {
  // A declaration is no attribute (Namespaces in XML 3)
  if (name === 'xmlns') return undefined;
  const cursor: RawAttribute = { nameStart: 0, nameEnd: 0, valueStart: 0, valueEnd: 0 };
  for (let at = from; moveTo(cursor, buffer, at, end); at = cursor.valueEnd + 1) {
    if (spells(buffer, cursor, name)) {
      return decodeAttributeValue(buffer.toString('utf8', cursor.valueStart, cursor.valueEnd));
    }
  }
  return undefined;
}

function spells(buffer: Buffer, raw: RawAttribute, name: string): boolean {
  const length = raw.nameEnd - raw.nameStart;
  for (let i = 0; i < length; i++) {
    const byte = buffer[raw.nameStart + i] ?? 0;
    if (byte >= 0x80) return buffer.toString('utf8', raw.nameStart, raw.nameEnd) === name;
    if (byte !== name.charCodeAt(i) || byte === 0x3a) return false;
  }
  return length === name.length;
}

/** The view of an attribute; `namespaceOf` gives the namespace of a prefix where the start tag stands. */
export function viewOf(buffer: Buffer, raw: RawAttribute, namespaceOf: (prefix: string) => string): AttributeView {
  const name = buffer.toString('utf8', raw.nameStart, raw.nameEnd);
  const colon = name.indexOf(':');
  const prefix = colon < 0 ? '' : name.slice(0, colon);
  const { nameStart: start, valueStart, valueEnd } = raw;
  return {
    // Namespaces in XML 6.2: an unprefixed attribute is in no namespace, whatever the default is.
    namespace: prefix === '' ? '' : namespaceOf(prefix),
    prefix,
    localName: colon < 0 ? name : name.slice(colon + 1),
    // Decoded when it is asked for: it may be long, and often its place alone matters
    get value() {
      return decodeAttributeValue(buffer.toString('utf8', valueStart, valueEnd));
    },
    start,
    end: valueEnd + 1,
    valueStart,
    valueEnd,
    quote: buffer[valueEnd] === 0x27 ? "'" : '"',
  };
}

/** A declaration of a namespace. Throws UndefinedReference. */
export function declarationOf(buffer: Buffer, raw: RawAttribute): NamespaceDeclaration {
  const { nameStart, valueStart, valueEnd } = raw;
  return {
    prefix: buffer.toString('utf8', Math.min(nameStart + 6, raw.nameEnd), raw.nameEnd),
    uri: decodeAttributeValue(buffer.toString('utf8', valueStart, valueEnd)),
    start: nameStart,
    end: valueEnd + 1,
    valueStart,
    valueEnd,
  };
}
