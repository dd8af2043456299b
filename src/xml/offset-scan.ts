// One pass over the bytes of a well-formed document that records where every element starts and ends.
// It trusts nothing: every step is checked against the end of the bytes, so that garbage ends in an error and never in a loop.

import { decodeAttributeValue } from './character-data.ts';
import type { XmlLimits } from './limits.ts';
import { NotScannable, XmlLimitExceeded } from './offset-errors.ts';
import { type ElementName, type NamespaceDeclarations, type NamespaceScope, NameTable } from './offset-names.ts';
import { atOnce } from './turns.ts';

export { NotScannable, XmlLimitExceeded } from './offset-errors.ts';
export type { ElementName, NamespaceScope } from './offset-names.ts';

/** The record of one element is this many consecutive numbers. */
export const stride = 9;

/** Places inside the record of one element. Offsets count bytes; element numbers are -1 where there is none. */
export const field = {
  outerStart: 0,
  openEnd: 1,
  closeStart: 2,
  outerEnd: 3,
  parent: 4,
  firstChild: 5,
  nextSibling: 6,
  name: 7,
  scope: 8,
} as const;

/** What a scan yields: element records in document order, and the tables they point into. */
export interface OffsetScan {
  readonly records: Int32Array;
  readonly count: number;
  readonly names: readonly ElementName[];
  readonly scopes: readonly NamespaceScope[];
}

/** Whether a byte is XML white space. */
export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Scans the bytes of a document. Throws XmlLimitExceeded or NotScannable. */
export function scanOffsets(bytes: Uint8Array, limits: XmlLimits): OffsetScan {
  return atOnce(scanningOffsets(bytes, limits));
}

/** The same in slices, for large documents. */
export function scanningOffsets(bytes: Uint8Array, limits: XmlLimits): Generator<void, OffsetScan> {
  return new Scanner(bytes, limits).scan();
}

/** Pieces of markup between two places where a scan can be interrupted. */
const markupAtOnce = 4096;

class Scanner {
  readonly #bytes: Uint8Array;
  readonly #buffer: Buffer;
  readonly #limits: XmlLimits;
  readonly #end: number;

  #records: Int32Array;
  #count = 0;
  #current = -1;
  #depth = 0;

  readonly #table: NameTable;
  /** Declarations of the start tag that is being read. */
  #pending: NamespaceDeclarations = [];
  /** Last child seen of each open element, by depth. */
  readonly #lastChild: number[] = [-1];

  constructor(bytes: Uint8Array, limits: XmlLimits) {
    this.#bytes = bytes;
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limits = limits;
    this.#end = bytes.length;
    this.#table = new NameTable(bytes, limits);
    this.#records = new Int32Array(stride * (16 + (bytes.length >> 6)));
  }

  *scan(): Generator<void, OffsetScan> {
    const bytes = this.#bytes;
    let pieces = 0;
    let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    while (at < this.#end) {
      if (bytes[at] !== 0x3c) {
        at++;
        continue;
      }
      if (++pieces % markupAtOnce === 0) yield;
      const next = bytes[at + 1];
      if (next === 0x2f) at = this.#endTag(at);
      else if (next === 0x3f) at = this.#after('?>', at + 2);
      else if (next === 0x21) at = this.#commentOrCData(at);
      else at = this.#startTag(at);
    }
    if (this.#current !== -1 || this.#count === 0) throw new NotScannable('the document element is not complete');
    return {
      records: this.#records.slice(0, this.#count * stride),
      count: this.#count,
      names: this.#table.names,
      scopes: this.#table.scopes,
    };
  }

  #after(mark: string, from: number): number {
    const found = this.#buffer.indexOf(mark, from, 'latin1');
    if (found < 0) throw new NotScannable(`"${mark}" is missing`);
    return found + mark.length;
  }

  #commentOrCData(at: number): number {
    const bytes = this.#bytes;
    if (bytes[at + 2] === 0x2d && bytes[at + 3] === 0x2d) return this.#after('-->', at + 4);
    if (bytes[at + 2] === 0x5b) return this.#after(']]>', at + 9);
    throw new NotScannable('a document type declaration cannot be indexed');
  }

  #endTag(at: number): number {
    const element = this.#current;
    if (element < 0) throw new NotScannable('an end tag has no start tag');
    let end = at + 2;
    while (this.#bytes[end] !== 0x3e) if (end++ >= this.#end) throw new NotScannable('an end tag is not closed');
    this.#close(element, at, end + 1);
    return end + 1;
  }

  #close(element: number, closeStart: number, outerEnd: number): void {
    const base = element * stride;
    this.#records[base + field.closeStart] = closeStart;
    this.#records[base + field.outerEnd] = outerEnd;
    this.#current = this.#records[base + field.parent] ?? -1;
    this.#depth--;
    if (this.#records[base + field.scope] === this.#table.scope) this.#table.leave(element);
  }

  #startTag(at: number): number {
    const element = this.#begin(at);
    const nameStart = at + 1;
    let position = this.#nameEnd(nameStart);
    const nameEnd = position;
    const bytes = this.#bytes;
    let attributes = 0;
    const { attributesPerElement, rootAttributes = attributesPerElement } = this.#limits;
    const most = element === 0 ? rootAttributes : attributesPerElement;
    let byte = bytes[position];
    while (byte !== 0x3e && byte !== 0x2f) {
      if (isSpace(byte)) {
        byte = bytes[++position];
        continue;
      }
      if (++attributes > most) throw new XmlLimitExceeded('too many attributes in one element');
      position = this.#attribute(position);
      byte = bytes[position];
    }
    const empty = byte === 0x2f;
    if (empty && bytes[++position] !== 0x3e) throw new NotScannable('a start tag is not closed');
    const openEnd = position + 1;
    if (this.#pending.length > 0) {
      this.#table.enter(element, this.#pending);
      this.#pending = [];
    }
    const base = element * stride;
    this.#records[base + field.openEnd] = openEnd;
    this.#records[base + field.name] = this.#table.nameAt(nameStart, nameEnd);
    this.#records[base + field.scope] = this.#table.scope;
    if (empty) this.#close(element, openEnd, openEnd);
    return openEnd;
  }

  #begin(at: number): number {
    if (this.#count >= this.#limits.elements) throw new XmlLimitExceeded('too many elements');
    const element = this.#count++;
    const parent = this.#current;
    if (parent < 0 && element > 0) throw new NotScannable('a second document element');
    if (this.#depth >= this.#limits.elementDepth) throw new XmlLimitExceeded('elements are nested too deeply');
    const base = element * stride;
    if (base + stride > this.#records.length) {
      const grown = new Int32Array(this.#records.length * 2);
      grown.set(this.#records);
      this.#records = grown;
    }
    const records = this.#records;
    records[base + field.outerStart] = at;
    records[base + field.parent] = parent;
    records[base + field.firstChild] = -1;
    records[base + field.nextSibling] = -1;
    const before = this.#lastChild[this.#depth] ?? -1;
    if (before >= 0) records[before * stride + field.nextSibling] = element;
    else if (parent >= 0) records[parent * stride + field.firstChild] = element;
    this.#lastChild[this.#depth] = element;
    this.#depth++;
    this.#lastChild[this.#depth] = -1;
    this.#current = element;
    return element;
  }

  #nameEnd(from: number): number {
    let at = from;
    for (; at < this.#end; at++) {
      const byte = this.#bytes[at];
      if (byte === 0x3e || byte === 0x2f || byte === 0x3d || isSpace(byte)) break;
      if (byte === 0x3c) throw new NotScannable('"<" in a name');
    }
    if (at >= this.#end || at === from) throw new NotScannable('a name is missing');
    if (at - from > this.#limits.nameLength) throw new XmlLimitExceeded('a name is too long');
    return at;
  }

  #attribute(from: number): number {
    const bytes = this.#bytes;
    const nameEnd = this.#nameEnd(from);
    let at = nameEnd;
    while (isSpace(bytes[at])) at++;
    if (bytes[at] !== 0x3d) throw new NotScannable('an attribute has no value');
    at++;
    while (isSpace(bytes[at])) at++;
    const quote = bytes[at];
    if (quote !== 0x22 && quote !== 0x27) throw new NotScannable('an attribute value is not quoted');
    const valueStart = ++at;
    const near = at + 64;
    while (bytes[at] !== quote && at < near) at++;
    // A long value is searched by the machine
    if (bytes[at] !== quote) at = this.#buffer.indexOf(quote, at);
    if (at < 0) throw new NotScannable('an attribute value is not closed');
    if (bytes[from] === 0x78 && bytes[from + 1] === 0x6d && isDeclaration(bytes, from, nameEnd)) {
      this.#pending.push([
        nameEnd - from === 5 ? '' : this.#buffer.toString('utf8', from + 6, nameEnd),
        decodeAttributeValue(this.#buffer.toString('utf8', valueStart, at)),
      ]);
    }
    return at + 1;
  }
}

/** Whether an attribute name is `xmlns` or starts with `xmlns:`. */
export function isDeclaration(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start >= 5 &&
    bytes[start] === 0x78 &&
    bytes[start + 1] === 0x6d &&
    bytes[start + 2] === 0x6c &&
    bytes[start + 3] === 0x6e &&
    bytes[start + 4] === 0x73 &&
    (end - start === 5 || bytes[start + 5] === 0x3a)
  );
}
