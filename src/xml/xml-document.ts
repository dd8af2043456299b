// The door through which every XML document comes in: bytes are judged here before anything else looks at them.
// UTF-8 only, no DTD, bounded; well-formedness and namespaces are libxml2's verdict, the index is built afterwards.

import { isUtf8 } from 'node:buffer';
import { Refusal } from '../refusals.ts';
import { beginsWide, UndefinedReference } from './character-data.ts';
import { withDocument } from './libxml.ts';
import type { XmlLimits } from './limits.ts';
import { OffsetIndex } from './offset-index.ts';
import { isSpace, NotScannable, type OffsetScan, scanOffsets, XmlLimitExceeded } from './offset-scan.ts';

/**
 * Judges the bytes of a document and indexes them. The bytes must not change afterwards.
 * Throws Refusal `document-too-large`, `not-utf-8`, `not-well-formed`, or `constraint-failure` (DTD, limits).
 */
export function readXml(bytes: Uint8Array, limits: XmlLimits): OffsetIndex {
  checkBytes(bytes, limits);
  withDocument(bytes, () => undefined);
  return indexWellFormed(bytes, limits);
}

/** Everything that can be judged without a parser: size, encoding, DTD, number of elements. Throws Refusal as readXml. */
export function checkBytes(bytes: Uint8Array, limits: XmlLimits): void {
  if (bytes.byteLength > limits.documentBytes) throw new Refusal('document-too-large');
  checkEncoding(bytes);
  checkProlog(bytes);
  checkElementCount(bytes, limits);
}

/** Indexes bytes that libxml2 has accepted. Throws Refusal `constraint-failure` for a limit exceeded. */
export function indexWellFormed(bytes: Uint8Array, limits: XmlLimits): OffsetIndex {
  return OffsetIndex.ofScan(bytes, scanWellFormed(bytes, limits));
}

/** The offsets alone, in a form that can move between threads. Throws as indexWellFormed. */
export function scanWellFormed(bytes: Uint8Array, limits: XmlLimits): OffsetScan {
  try {
    return scanOffsets(bytes, limits);
  } catch (error) {
    if (error instanceof XmlLimitExceeded) throw new Refusal('constraint-failure', { phrase: error.message });
    if (error instanceof NotScannable || error instanceof UndefinedReference) {
      throw new Refusal('not-well-formed', { cause: error.message });
    }
    throw error;
  }
}

/**
 * RFC 4825 5.3: documents are UTF-8. RFC 7303 3.2: a byte order mark outranks the declared encoding. Throws Refusal `not-utf-8`, and
 * `not-well-formed` for NUL, which is UTF-8 but no character of XML (RFC 4825 8.2.2).
 */
export function checkEncoding(bytes: Uint8Array): void {
  if (!isUtf8(bytes)) throw new Refusal('not-utf-8');
  if (bytes.includes(0)) throw new Refusal(beginsWide(bytes) ? 'not-utf-8' : 'not-well-formed', { cause: 'NUL byte' });
  if (hasByteOrderMark(bytes)) return;
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 512)).toString('latin1');
  const declared = /^<\?xml\s[^>]*?\bencoding\s*=\s*["']([^"']*)["']/.exec(head)?.[1];
  if (declared !== undefined && !/^(utf-?8|us-ascii)$/i.test(declared)) {
    throw new Refusal('not-utf-8', { cause: `declared encoding ${declared}` });
  }
}

function hasByteOrderMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/** Refuses a document type declaration, the only place where entities could come from. It can only stand before the document element. */
function checkProlog(bytes: Uint8Array): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = hasByteOrderMark(bytes) ? 3 : 0;
  for (;;) {
    while (isSpace(bytes[at])) at++;
    if (bytes[at] !== 0x3c) throw new Refusal('not-well-formed', { cause: 'no markup at the start' });
    const next = bytes[at + 1];
    if (next === 0x3f) at = behind(buffer, '?>', at + 2);
    else if (next === 0x21 && bytes[at + 2] === 0x2d) at = behind(buffer, '-->', at + 4);
    else if (next === 0x21) {
      throw new Refusal('constraint-failure', { phrase: 'A document type declaration is not accepted' });
    } else return;
  }
}

function behind(buffer: Buffer, mark: string, from: number): number {
  const found = buffer.indexOf(mark, from, 'latin1');
  if (found < 0) throw new Refusal('not-well-formed', { cause: `"${mark}" is missing` });
  return found + mark.length;
}

/** Counts what could be start tags, so that a flood of tiny elements never reaches the parser. */
function checkElementCount(bytes: Uint8Array, limits: XmlLimits): void {
  // The shortest element, `<a/>`, has four bytes.
  if (bytes.byteLength < limits.elements * 4) return;
  let count = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === 0x3c && bytes[at + 1] !== 0x2f && ++count > limits.elements) {
      throw new Refusal('constraint-failure', { phrase: 'too many elements' });
    }
  }
}
