// Documents in memory with what was derived from their bytes, bounded by size, and never older than the last commit.

import { LRUCache } from 'lru-cache';
import type { DocumentKey, StoredDocument } from '../store/store.ts';
import { type GroupFacts, readGroup, readingGroup } from '../xml/group-document.ts';
import type { XmlLimits } from '../xml/limits.ts';
import { OffsetIndex } from '../xml/offset-index.ts';
import { inTurns } from '../xml/turns.ts';
import { groupsAuid } from './application-usage.ts';
import { keyText } from './document-key.ts';
import type { ServedDocument } from './documents.ts';

/** What a writer already knows of the bytes it stores. */
export interface Known {
  readonly index?: OffsetIndex | undefined;
  readonly group?: GroupFacts | undefined;
}

/** Stored bytes were judged when they came in; limits that became narrower since then must not make them unreadable. */
const storedLimits: XmlLimits = {
  documentBytes: Number.POSITIVE_INFINITY,
  elementDepth: 256,
  elements: Number.POSITIVE_INFINITY,
  attributesPerElement: Number.POSITIVE_INFINITY,
  nameLength: Number.POSITIVE_INFINITY,
  namespacesInScope: Number.POSITIVE_INFINITY,
  different: Number.POSITIVE_INFINITY,
};

/** Above this size reading all facts at once would hold the event loop for milliseconds, bytes. */
const largeDocument = 64 * 1024;

/** A document with its index and facts, each made on first use. */
export class MemoryDocument implements ServedDocument {
  readonly key: DocumentKey;
  readonly tag: string;
  readonly bytes: Uint8Array;
  readonly groupId: string | undefined;
  readonly modified: string;
  readonly #grown: (document: MemoryDocument) => void;
  #index: OffsetIndex | undefined;
  #group: GroupFacts | undefined;

  /** `grown` is told when the document has come to take more memory. */
  constructor(stored: StoredDocument, known: Known = {}, grown: (document: MemoryDocument) => void = () => undefined) {
    this.key = stored.key;
    this.tag = stored.tag;
    this.bytes = stored.bytes;
    this.groupId = stored.groupId;
    this.modified = stored.modified;
    this.#index = known.index;
    this.#group = known.group;
    this.#grown = grown;
  }

  get index(): OffsetIndex {
    if (this.#index === undefined) {
      this.#index = OffsetIndex.of(this.bytes, storedLimits);
      this.#grown(this);
    }
    return this.#index;
  }

  get group(): GroupFacts | undefined {
    if (this.#group === undefined && this.key.auid === groupsAuid) {
      this.#group = readGroup(this.index);
      this.#grown(this);
    }
    return this.#group;
  }

  /** Reads a large document in slices, so that nobody who asks what is in it later holds up the others. */
  async prepare(): Promise<void> {
    if (this.bytes.byteLength <= largeDocument) return;
    this.#index ??= await inTurns(OffsetIndex.making(this.bytes, storedLimits));
    if (this.key.auid === groupsAuid) this.#group ??= await inTurns(readingGroup(this.#index));
    this.#grown(this);
  }

  /** Memory held, bytes: measured for bytes and index, estimated for facts. */
  get size(): number {
    return 500 + (this.#index?.byteSize ?? this.bytes.byteLength) + sizeOfFacts(this.#group);
  }
}

function sizeOfFacts(group: GroupFacts | undefined): number {
  if (group === undefined) return 0;
  // Measured: an entry with three identities, their canonical forms and the set of these takes about 700 bytes, a rule about 1 KB.
  return group.listServices.reduce(
    (sum, one) => sum + 1_000 + one.members.entries.length * 700 + one.rules.length * 1_000,
    0,
  );
}

/** The least recently used documents up to a bound of bytes; 0 keeps none. */
export class DocumentCache {
  readonly #documents: LRUCache<string, MemoryDocument> | undefined;
  /** Keys of held documents by group ID. */
  readonly #groups = new Map<string, string>();
  /** Reads of the store under way; a commit takes out what it overtakes, so that nobody joins or keeps an old answer. */
  readonly #loading = new Map<string, Promise<MemoryDocument | undefined>>();

  constructor(bytes: number) {
    if (bytes <= 0) return;
    this.#documents = new LRUCache({
      maxSize: bytes,
      sizeCalculation: (document) => document.size,
      dispose: (document, text) => {
        if (document.groupId !== undefined && this.#groups.get(document.groupId) === text) {
          this.#groups.delete(document.groupId);
        }
      },
    });
  }

  /** Bytes held now. */
  get size(): number {
    return this.#documents?.calculatedSize ?? 0;
  }

  /** The document when it is held under exactly this key. */
  held(key: DocumentKey): MemoryDocument | undefined {
    return this.#documents?.get(keyText(key));
  }

  /** The document when it is held and has exactly this group ID. */
  heldGroup(groupId: string): MemoryDocument | undefined {
    const text = this.#groups.get(groupId);
    return text === undefined ? undefined : this.#documents?.get(text);
  }

  /** The document under a canonical key, read from the store when it is not held. */
  async document(
    key: DocumentKey,
    read: () => Promise<StoredDocument | undefined>,
  ): Promise<MemoryDocument | undefined> {
    return this.held(key) ?? this.#load(keyText(key), read);
  }

  /** The document with a canonical group ID, read from the store when it is not held. */
  async group(groupId: string, read: () => Promise<StoredDocument | undefined>): Promise<MemoryDocument | undefined> {
    return this.heldGroup(groupId) ?? this.#load(groupText(groupId), read);
  }

  /** Takes over what a commit has stored in place of `previous`; answers it as readers get it. */
  replace(stored: StoredDocument, known: Known, previous?: Pick<StoredDocument, 'groupId'>): MemoryDocument {
    this.forget(stored.key, previous?.groupId);
    if (stored.groupId !== undefined) this.#loading.delete(groupText(stored.groupId));
    return this.#hold(stored, known);
  }

  /** Drops a document, and every answer about it that is still under way. */
  forget(key: DocumentKey, groupId?: string): void {
    const text = keyText(key);
    this.#loading.delete(text);
    if (groupId !== undefined) this.#loading.delete(groupText(groupId));
    this.#documents?.delete(text);
  }

  #hold(stored: StoredDocument, known: Known): MemoryDocument {
    const text = keyText(stored.key);
    const document = new MemoryDocument(stored, known, (grown) => {
      if (this.#documents?.peek(text) !== grown) return;
      // Setting what is there already would not measure it anew.
      this.#documents.delete(text);
      this.#insert(text, grown);
    });
    this.#insert(text, document);
    return document;
  }

  #insert(text: string, document: MemoryDocument): void {
    this.#documents?.set(text, document);
    // A document larger than the bound is not taken.
    if (document.groupId !== undefined && this.#documents?.has(text) === true) this.#groups.set(document.groupId, text);
  }

  #load(text: string, read: () => Promise<StoredDocument | undefined>): Promise<MemoryDocument | undefined> {
    const pending = this.#loading.get(text);
    if (pending !== undefined) return pending;
    const load: Promise<MemoryDocument | undefined> = Promise.resolve()
      .then(read)
      .then(async (stored) => {
        if (stored === undefined) return undefined;
        const document = this.#loading.get(text) === load ? this.#hold(stored, {}) : new MemoryDocument(stored);
        await document.prepare();
        return document;
      })
      .finally(() => {
        if (this.#loading.get(text) === load) this.#loading.delete(text);
      });
    this.#loading.set(text, load);
    return load;
  }
}

function groupText(groupId: string): string {
  return `group\n${groupId}`;
}
