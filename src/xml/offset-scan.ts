// One pass over the bytes of a well-formed document that records where every element starts and ends.
// It trusts nothing: every step is checked against the end of the bytes, so that garbage ends in an error and never in a loop.

import { decodeAttributeValue } from './character-data.ts';
import { defaultDifferent, type XmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import { atOnce } from './turns.ts';

/** Raised when a document exceeds one of the XML limits. */
export class XmlLimitExceeded extends Error {
  override readonly name = 'XmlLimitExceeded';
}

/** Raised when the bytes are no markup that libxml2 could have accepted. */
export class NotScannable extends Error {
  override readonly name = 'NotScannable';
}

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

/** An element name with the namespace that its prefix is bound to. */
export interface ElementName {
  readonly prefix: string;
  readonly localName: string;
  readonly namespace: string;
}

/** The namespace declarations of one start tag, linked to those around it; -1 ends the chain. */
export interface NamespaceScope {
  readonly outer: number;
  readonly declarations: readonly (readonly [prefix: string, uri: string])[];
  readonly size: number;
}

/** What a scan yields: element records in document order, and the tables they point into. */
export interface OffsetScan {
  readonly records: Int32Array;
  readonly count: number;
  readonly names: readonly ElementName[];
  readonly scopes: readonly NamespaceScope[];
}

interface QualifiedName {
  readonly prefixId: number;
  readonly prefix: string;
  readonly localName: string;
  lastNamespace: number;
  lastName: number;
}

const cacheSlots = 512;

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

  readonly #names: ElementName[] = [];
  readonly #nameIds = new Map<number, number>();
  readonly #qualifiedNames: QualifiedName[] = [];
  readonly #qualifiedIds = new Map<string, number>();
  readonly #cacheStart = new Int32Array(cacheSlots);
  readonly #cacheLength = new Int32Array(cacheSlots);
  readonly #cacheId = new Int32Array(cacheSlots);

  readonly #prefixIds = new Map<string, number>();
  readonly #bound: number[] = [];
  readonly #namespaceUris: string[] = [];
  readonly #namespaceIds = new Map<string, number>();
  readonly #scopes: NamespaceScope[] = [];
  /** Scopes by what they are: elements that declare the same in the same place share one. */
  readonly #scopeIds = new Map<string, number>();
  readonly #different: number;
  #scope = -1;
  #pending: [string, string][] = [];
  /** Bindings to restore when the element that declared them ends: element, prefix, earlier namespace. */
  readonly #undo: number[] = [];
  /** Last child seen of each open element, by depth. */
  readonly #lastChild: number[] = [-1];

  constructor(bytes: Uint8Array, limits: XmlLimits) {
    this.#bytes = bytes;
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limits = limits;
    this.#end = bytes.length;
    this.#different = limits.different ?? defaultDifferent;
    this.#records = new Int32Array(stride * (16 + (bytes.length >> 6)));
    this.#namespaceId('');
    this.#bound[this.#prefixId('')] = 0;
    this.#bound[this.#prefixId('xml')] = this.#namespaceId(namespaces.xml);
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
      names: this.#names,
      scopes: this.#scopes,
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
    if (this.#records[base + field.scope] === this.#scope) this.#leaveScope(element);
  }

  #leaveScope(element: number): void {
    const undo = this.#undo;
    if (undo.length === 0 || undo[undo.length - 3] !== element) return;
    while (undo.length > 0 && undo[undo.length - 3] === element) {
      this.#bound[undo[undo.length - 2] ?? 0] = undo[undo.length - 1] ?? -1;
      undo.length -= 3;
    }
    this.#scope = this.#scopes[this.#scope]?.outer ?? -1;
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
    if (this.#pending.length > 0) this.#enterScope(element);
    const base = element * stride;
    this.#records[base + field.openEnd] = openEnd;
    this.#records[base + field.name] = this.#nameAt(nameStart, nameEnd);
    this.#records[base + field.scope] = this.#scope;
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

  #enterScope(element: number): void {
    const declarations = this.#pending;
    const size = (this.#scopes[this.#scope]?.size ?? 0) + declarations.length;
    if (size > this.#limits.namespacesInScope) throw new XmlLimitExceeded('too many namespace declarations in scope');
    for (const [prefix, uri] of declarations) {
      const prefixId = this.#prefixId(prefix);
      this.#undo.push(element, prefixId, this.#bound[prefixId] ?? -1);
      this.#bound[prefixId] = this.#namespaceId(uri);
    }
    const key = `${this.#scope} ${JSON.stringify(declarations)}`;
    let id = this.#scopeIds.get(key);
    if (id === undefined) {
      if (this.#scopes.length >= this.#different)
        throw new XmlLimitExceeded('too many different namespace declarations');
      id = this.#scopes.push({ outer: this.#scope, declarations, size }) - 1;
      this.#scopeIds.set(key, id);
    }
    this.#scope = id;
    this.#pending = [];
  }

  #nameAt(start: number, end: number): number {
    const qualifiedId = this.#qualifiedAt(start, end);
    const qualified = this.#qualifiedNames[qualifiedId];
    const namespace = this.#bound[qualified?.prefixId ?? -1] ?? -1;
    if (qualified === undefined || namespace < 0) throw new NotScannable('an element prefix is not bound');
    if (qualified.lastNamespace === namespace) return qualified.lastName;
    const key = qualifiedId * 2 ** 26 + namespace;
    let id = this.#nameIds.get(key);
    if (id === undefined) {
      id = this.#names.length;
      if (id >= this.#different) throw new XmlLimitExceeded('too many different element names');
      this.#names.push({
        prefix: qualified.prefix,
        localName: qualified.localName,
        namespace: this.#namespaceUris[namespace] ?? '',
      });
      this.#nameIds.set(key, id);
    }
    qualified.lastNamespace = namespace;
    qualified.lastName = id;
    return id;
  }

  #qualifiedAt(start: number, end: number): number {
    const bytes = this.#bytes;
    const length = end - start;
    // The cache only spares the making of strings; the Map behind it keeps chosen names from colliding.
    const slot =
      (length * 31 + (bytes[start] ?? 0) * 7 + (bytes[end - 1] ?? 0) * 3 + (bytes[start + (length >> 1)] ?? 0) * 13) &
      (cacheSlots - 1);
    if (this.#cacheLength[slot] === length) {
      let seen = this.#cacheStart[slot] ?? 0;
      let at = start;
      while (at < end && bytes[at] === bytes[seen]) {
        at++;
        seen++;
      }
      if (at === end) return this.#cacheId[slot] ?? 0;
    }
    const key = this.#buffer.toString('latin1', start, end);
    let id = this.#qualifiedIds.get(key);
    if (id === undefined) {
      const name = this.#buffer.toString('utf8', start, end);
      const colon = name.indexOf(':');
      const prefix = colon < 0 ? '' : name.slice(0, colon);
      id = this.#qualifiedNames.length;
      this.#qualifiedNames.push({
        prefix,
        prefixId: this.#prefixId(prefix),
        localName: colon < 0 ? name : name.slice(colon + 1),
        lastNamespace: -1,
        lastName: -1,
      });
      this.#qualifiedIds.set(key, id);
    }
    this.#cacheStart[slot] = start;
    this.#cacheLength[slot] = length;
    this.#cacheId[slot] = id;
    return id;
  }

  #prefixId(prefix: string): number {
    let id = this.#prefixIds.get(prefix);
    if (id === undefined) {
      id = this.#prefixIds.size;
      this.#prefixIds.set(prefix, id);
    }
    return id;
  }

  #namespaceId(uri: string): number {
    let id = this.#namespaceIds.get(uri);
    if (id === undefined) {
      id = this.#namespaceUris.length;
      this.#namespaceUris.push(uri);
      this.#namespaceIds.set(uri, id);
    }
    return id;
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
