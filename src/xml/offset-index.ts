// The read-only view of a document: its bytes and where every element stands in them.
// Elements are numbers in document order; names and values are namespace-exact, offsets count bytes.

import { decodeText, normaliseLineEnds } from './character-data.ts';
import { defaultXmlLimits, type XmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import {
  type AttributeView,
  declarationOf,
  type NamespaceDeclaration,
  nameEnd,
  type RawAttribute,
  rawAttributes,
  unprefixedValue,
  viewOf,
} from './offset-attributes.ts';
import { type ByteEdit, type ElementEdit, editElements, editStartTag, openEmptyTag } from './offset-edit.ts';
import {
  type ElementName,
  field,
  isDeclaration,
  type NamespaceScope,
  type OffsetScan,
  scanningOffsets,
  scanOffsets,
  stride,
} from './offset-scan.ts';

export type { AttributeView, NamespaceDeclaration } from './offset-attributes.ts';

/** Number of an element in document order; the document element is 0. */
export type ElementId = number;

/** What OffsetIndex.afterElementEdit is told of an edit. */
export interface IndexedElementEdit extends Omit<ElementEdit, 'inserted'> {
  /** Index of the inserted element below a stand-in for its parent. */
  readonly inserted?: OffsetIndex | undefined;
  /** Length of the inserted element when its parent was written as an empty tag until now. */
  readonly opens?: number | undefined;
}

const noName: ElementName = { prefix: '', localName: '', namespace: '' };

export class OffsetIndex {
  readonly bytes: Uint8Array;
  /** The document element. */
  readonly root: ElementId = 0;
  /** How many elements there are. */
  readonly count: number;

  readonly #buffer: Buffer;
  readonly #scan: OffsetScan;
  readonly #records: Int32Array;
  readonly #names: readonly ElementName[];
  readonly #scopes: readonly NamespaceScope[];
  readonly #inScope = new Map<number, ReadonlyMap<string, string>>();

  private constructor(bytes: Uint8Array, scan: OffsetScan) {
    this.bytes = bytes;
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.count = scan.count;
    this.#scan = scan;
    this.#records = scan.records;
    this.#names = scan.names;
    this.#scopes = scan.scopes;
  }

  /**
   * Indexes a document that a parser has found well-formed. The bytes must not change afterwards.
   * Throws XmlLimitExceeded, or NotScannable for bytes no parser would have accepted.
   */
  static of(bytes: Uint8Array, limits: XmlLimits = defaultXmlLimits): OffsetIndex {
    return new OffsetIndex(bytes, scanOffsets(bytes, limits));
  }

  /** The same in slices, for large documents. */
  static *making(bytes: Uint8Array, limits: XmlLimits): Generator<void, OffsetIndex> {
    return new OffsetIndex(bytes, yield* scanningOffsets(bytes, limits));
  }

  /** The index of bytes that somebody else has scanned. */
  static ofScan(bytes: Uint8Array, scan: OffsetScan): OffsetIndex {
    return new OffsetIndex(bytes, scan);
  }

  /** The index of the bytes that an edit inside one start tag has made, without reading them. No declaration may have changed. */
  afterTagEdit(bytes: Uint8Array, edit: ByteEdit): OffsetIndex {
    return new OffsetIndex(bytes, editStartTag(this.#scan, edit));
  }

  /** The index of the bytes that an element edit has made; reads them only where that is simpler. Throws as `of`. */
  afterElementEdit(bytes: Uint8Array, edit: IndexedElementEdit, limits: XmlLimits): OffsetIndex {
    const { inserted, opens, parent } = edit;
    const added = inserted === undefined ? undefined : inserted.#scan;
    const scan = editElements(this.#scan, { ...edit, inserted: added }, limits);
    if (scan === undefined) return OffsetIndex.of(bytes, limits);
    if (opens !== undefined) openEmptyTag(scan, parent, opens);
    return new OffsetIndex(bytes, scan);
  }

  /** The names of elements, each once; after edits also of some that are gone. */
  get elementNames(): readonly ElementName[] {
    return this.#names;
  }

  /** Memory held, bytes; for caches that are bounded by size. */
  get byteSize(): number {
    return this.bytes.byteLength + this.#records.byteLength + (this.#names.length + this.#scopes.length) * 100;
  }

  #at(element: ElementId, place: number): number {
    return this.#records[element * stride + place] ?? -1;
  }

  #name(element: ElementId): ElementName {
    return this.#names[this.#at(element, field.name)] ?? noName;
  }

  namespace(element: ElementId): string {
    return this.#name(element).namespace;
  }

  localName(element: ElementId): string {
    return this.#name(element).localName;
  }

  prefix(element: ElementId): string {
    return this.#name(element).prefix;
  }

  /** Whether the element has this expanded name. */
  is(element: ElementId, namespace: string, localName: string): boolean {
    const name = this.#name(element);
    return name.localName === localName && name.namespace === namespace;
  }

  /** Parent element, -1 for the document element. */
  parent(element: ElementId): ElementId {
    return this.#at(element, field.parent);
  }

  /** First child element, -1 when there is none. */
  firstChild(element: ElementId): ElementId {
    return this.#at(element, field.firstChild);
  }

  /** Next sibling element, -1 when there is none. */
  nextSibling(element: ElementId): ElementId {
    return this.#at(element, field.nextSibling);
  }

  /** Offset of the "<" of the start tag. */
  outerStart(element: ElementId): number {
    return this.#at(element, field.outerStart);
  }

  /** Offset behind the ">" of the start tag. */
  openEnd(element: ElementId): number {
    return this.#at(element, field.openEnd);
  }

  /** Offset of the "<" of the end tag; equal to openEnd when the element is an empty tag. */
  closeStart(element: ElementId): number {
    return this.#at(element, field.closeStart);
  }

  /** Offset behind the whole element. */
  outerEnd(element: ElementId): number {
    return this.#at(element, field.outerEnd);
  }

  /** Whether the element is written as `<name/>`. */
  isEmptyTag(element: ElementId): boolean {
    return this.openEnd(element) === this.outerEnd(element);
  }

  /** Child elements in document order. */
  children(element: ElementId): readonly ElementId[] {
    const found: ElementId[] = [];
    for (let child = this.firstChild(element); child >= 0; child = this.nextSibling(child)) found.push(child);
    return found;
  }

  /** Child elements with this expanded name, in document order. */
  childrenNamed(element: ElementId, namespace: string, localName: string): readonly ElementId[] {
    const found: ElementId[] = [];
    for (let child = this.firstChild(element); child >= 0; child = this.nextSibling(child)) {
      if (this.is(child, namespace, localName)) found.push(child);
    }
    return found;
  }

  /** First child element with this expanded name. */
  firstNamed(element: ElementId, namespace: string, localName: string): ElementId | undefined {
    for (let child = this.firstChild(element); child >= 0; child = this.nextSibling(child)) {
      if (this.is(child, namespace, localName)) return child;
    }
    return undefined;
  }

  /** Last child element with this expanded name. */
  lastNamed(element: ElementId, namespace: string, localName: string): ElementId | undefined {
    let last: ElementId | undefined;
    for (let child = this.firstChild(element); child >= 0; child = this.nextSibling(child)) {
      if (this.is(child, namespace, localName)) last = child;
    }
    return last;
  }

  /** All elements below this one, in document order. */
  *descendants(element: ElementId): Iterable<ElementId> {
    const end = this.outerEnd(element);
    for (let next = element + 1; next < this.count && this.outerStart(next) < end; next++) yield next;
  }

  /** The bytes from one offset to another as a string, nothing decoded. */
  source(start: number, end: number): string {
    return this.#buffer.toString('utf8', start, end);
  }

  /** The element as it stands, start tag to end tag. A view, not a copy. */
  outerBytes(element: ElementId): Uint8Array {
    return this.bytes.subarray(this.outerStart(element), this.outerEnd(element));
  }

  /** Own character data without that of child elements; references and CDATA decoded, comments left out. */
  text(element: ElementId): string {
    const end = this.closeStart(element);
    let at = this.openEnd(element);
    let text = '';
    for (let child = this.firstChild(element); child >= 0; child = this.nextSibling(child)) {
      text += this.#characterData(at, this.outerStart(child));
      at = this.outerEnd(child);
    }
    return text + this.#characterData(at, end);
  }

  #characterData(start: number, end: number): string {
    if (start >= end) return '';
    const raw = this.#buffer.toString('utf8', start, end);
    if (!raw.includes('<')) return decodeText(raw);
    let text = '';
    let at = 0;
    for (let mark = raw.indexOf('<'); mark >= 0; mark = raw.indexOf('<', at)) {
      text += decodeText(raw.slice(at, mark));
      if (raw.startsWith('<![CDATA[', mark)) {
        const close = raw.indexOf(']]>', mark);
        text += normaliseLineEnds(raw.slice(mark + 9, close));
        at = close + 3;
      } else if (raw.startsWith('<!--', mark)) at = raw.indexOf('-->', mark + 4) + 3;
      else at = raw.indexOf('?>', mark) + 2;
    }
    return text + decodeText(raw.slice(at));
  }

  /** Offset behind the name in the start tag: where a new attribute can be inserted. */
  tagNameEnd(element: ElementId): number {
    return nameEnd(this.#buffer, this.outerStart(element) + 1, this.openEnd(element));
  }

  #attributes(element: ElementId): Iterable<RawAttribute> {
    return rawAttributes(this.#buffer, this.tagNameEnd(element), this.openEnd(element));
  }

  /** Attributes in the order of the start tag, namespace declarations left out. */
  attributes(element: ElementId): readonly AttributeView[] {
    const found: AttributeView[] = [];
    const namespaceOf = (prefix: string): string => this.namespaceOf(element, prefix) ?? '';
    for (const raw of this.#attributes(element)) {
      if (!isDeclaration(this.bytes, raw.nameStart, raw.nameEnd)) found.push(viewOf(this.#buffer, raw, namespaceOf));
    }
    return found;
  }

  /** Value of an attribute, by default one in no namespace; undefined when it is absent. */
  attribute(element: ElementId, localName: string, namespace = ''): string | undefined {
    if (namespace !== '') return this.attributeView(element, localName, namespace)?.value;
    return unprefixedValue(this.#buffer, this.tagNameEnd(element), this.openEnd(element), localName);
  }

  /** One attribute with its offsets, by default one in no namespace. */
  attributeView(element: ElementId, localName: string, namespace = ''): AttributeView | undefined {
    return this.attributes(element).find((view) => view.localName === localName && view.namespace === namespace);
  }

  /** Namespace declarations written in this start tag. */
  namespaceDeclarations(element: ElementId): readonly NamespaceDeclaration[] {
    const found: NamespaceDeclaration[] = [];
    for (const raw of this.#attributes(element)) {
      if (isDeclaration(this.bytes, raw.nameStart, raw.nameEnd)) found.push(declarationOf(this.#buffer, raw));
    }
    return found;
  }

  /** Namespace that a prefix ('' for the default namespace) is bound to at an element; undefined when unbound. */
  namespaceOf(element: ElementId, prefix: string): string | undefined {
    if (prefix === 'xml') return namespaces.xml;
    for (let id = this.#at(element, field.scope); id >= 0; ) {
      const scope = this.#scopes[id];
      if (scope === undefined) break;
      const declared = scope.declarations.find(([name]) => name === prefix);
      if (declared !== undefined) return declared[1];
      id = scope.outer;
    }
    return prefix === '' ? '' : undefined;
  }

  /** Whether some start tag of the document may declare this namespace; after edits also true for one that is gone. */
  declares(namespace: string): boolean {
    return this.#scopes.some(({ declarations }) => declarations.some(([, uri]) => uri === namespace));
  }

  /** Prefixes bound at an element with their namespaces; '' is the default namespace, present only when there is one. `xml` is left out. */
  namespacesInScope(element: ElementId): ReadonlyMap<string, string> {
    const innermost = this.#at(element, field.scope);
    const known = this.#inScope.get(innermost);
    if (known !== undefined) return known;
    const chain: NamespaceScope[] = [];
    for (let scope = this.#scopes[innermost]; scope !== undefined; scope = this.#scopes[scope.outer]) chain.push(scope);
    const bound = new Map<string, string>();
    for (const scope of chain.reverse()) for (const [prefix, uri] of scope.declarations) bound.set(prefix, uri);
    // Namespaces in XML 6.2: xmlns="" takes the default namespace away.
    if (bound.get('') === '') bound.delete('');
    bound.delete('xml');
    // Remembered for few scopes only: a document with many would otherwise grow by their product.
    if (this.#inScope.size < 64) this.#inScope.set(innermost, bound);
    return bound;
  }
}
