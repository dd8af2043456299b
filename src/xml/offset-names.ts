// The names of a document while it is scanned: each different one gets a number, as does each set of declarations in scope.

import { defaultDifferent, type XmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import { NotScannable, XmlLimitExceeded } from './offset-errors.ts';

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

/** Namespace declarations of one start tag, prefix and namespace; the prefix of the default namespace is ''. */
export type NamespaceDeclarations = [prefix: string, uri: string][];

/** A name as it is written; remembers what it meant last. */
interface QualifiedName {
  readonly prefixId: number;
  readonly prefix: string;
  readonly localName: string;
  lastNamespace: number;
  lastName: number;
}

const cacheSlots = 512;

/** What one scan of a document knows of names; the scanner tells it where elements with declarations begin and end. */
export class NameTable {
  readonly names: ElementName[] = [];
  readonly scopes: NamespaceScope[] = [];

  readonly #bytes: Uint8Array;
  readonly #buffer: Buffer;
  readonly #limits: XmlLimits;
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
  /** Scopes by what they are: elements that declare the same in the same place share one. */
  readonly #scopeIds = new Map<string, number>();
  readonly #different: number;
  #scope = -1;
  /** Bindings to restore when the element that declared them ends: element, prefix, earlier namespace. */
  readonly #undo: number[] = [];

  constructor(bytes: Uint8Array, limits: XmlLimits) {
    this.#bytes = bytes;
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limits = limits;
    this.#different = limits.different ?? defaultDifferent;
    this.#namespaceId('');
    this.#bound[this.#prefixId('')] = 0;
    this.#bound[this.#prefixId('xml')] = this.#namespaceId(namespaces.xml);
  }

  /** Number of the innermost scope, -1 outside all. */
  get scope(): number {
    return this.#scope;
  }

  /** Leaves the scope of an element that has ended, if it made one. */
  leave(element: number): void {
    const undo = this.#undo;
    if (undo.length === 0 || undo[undo.length - 3] !== element) return;
    while (undo.length > 0 && undo[undo.length - 3] === element) {
      this.#bound[undo[undo.length - 2] ?? 0] = undo[undo.length - 1] ?? -1;
      undo.length -= 3;
    }
    this.#scope = this.scopes[this.#scope]?.outer ?? -1;
  }

  /** Enters the scope that an element's declarations make. Throws XmlLimitExceeded. */
  enter(element: number, declarations: NamespaceDeclarations): void {
    const size = (this.scopes[this.#scope]?.size ?? 0) + declarations.length;
    if (size > this.#limits.namespacesInScope) throw new XmlLimitExceeded('too many namespace declarations in scope');
    for (const [prefix, uri] of declarations) {
      const prefixId = this.#prefixId(prefix);
      this.#undo.push(element, prefixId, this.#bound[prefixId] ?? -1);
      this.#bound[prefixId] = this.#namespaceId(uri);
    }
    const key = `${this.#scope} ${JSON.stringify(declarations)}`;
    let id = this.#scopeIds.get(key);
    if (id === undefined) {
      if (this.scopes.length >= this.#different)
        throw new XmlLimitExceeded('too many different namespace declarations');
      id = this.scopes.push({ outer: this.#scope, declarations, size }) - 1;
      this.#scopeIds.set(key, id);
    }
    this.#scope = id;
  }

  /** Number of the element name at these offsets, with the namespace it has in this scope. Throws NotScannable, XmlLimitExceeded. */
  nameAt(start: number, end: number): number {
    const qualifiedId = this.#qualifiedAt(start, end);
    const qualified = this.#qualifiedNames[qualifiedId];
    const namespace = this.#bound[qualified?.prefixId ?? -1] ?? -1;
    if (qualified === undefined || namespace < 0) throw new NotScannable('an element prefix is not bound');
    if (qualified.lastNamespace === namespace) return qualified.lastName;
    const key = qualifiedId * 2 ** 26 + namespace;
    let id = this.#nameIds.get(key);
    if (id === undefined) {
      id = this.names.length;
      if (id >= this.#different) throw new XmlLimitExceeded('too many different element names');
      this.names.push({
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
