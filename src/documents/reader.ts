// Finds documents by key and groups by ID, in memory first. Checks no rights.

import type { ServedUsers } from '../identity/served.ts';
import { canonicalUri } from '../identity/uri.ts';
import type { DocumentKey, Store } from '../store/store.ts';
import { groupsAuid } from './application-usage.ts';
import type { DocumentCache, MemoryDocument } from './cache.ts';
import { addressedGroup, canonicalKey, groupKey } from './document-key.ts';

const groupKeyPrefix = groupKey('').name;

export class DocumentReader {
  readonly #store: Store;
  readonly #cache: DocumentCache;
  readonly #served: Pick<ServedUsers, 'isHomed'>;

  constructor(store: Store, cache: DocumentCache, served: Pick<ServedUsers, 'isHomed'>) {
    this.#store = store;
    this.#cache = cache;
    this.#served = served;
  }

  /** The stored document under a key in any spelling; a group also under its address in the global tree. */
  async find(key: DocumentKey): Promise<MemoryDocument | undefined> {
    // Only canonical keys are held, so a hit needs no canonicalisation.
    const held = this.#cache.held(key) ?? this.#heldGroupAt(key);
    if (held !== undefined) return held;
    const canonical = canonicalKey(key, this.#served);
    if (canonical === undefined) return undefined;
    const groupId = addressedGroup(canonical);
    return groupId === undefined ? this.document(canonical) : this.findGroup(groupId);
  }

  /** The stored document under a canonical key. */
  document(key: DocumentKey): Promise<MemoryDocument | undefined> {
    return this.#cache.document(key, () => this.#store.document(key));
  }

  /** The document with a group ID in any spelling, home or foreign. */
  async findGroup(groupId: string): Promise<MemoryDocument | undefined> {
    const held = this.#cache.heldGroup(groupId);
    if (held !== undefined) return held;
    const canonical = canonicalUri(groupId);
    if (canonical === undefined) return undefined;
    return this.#cache.group(canonical, () => this.#store.groupDocument(canonical));
  }

  #heldGroupAt(key: DocumentKey): MemoryDocument | undefined {
    if (key.auid !== groupsAuid || key.tree !== 'global' || !key.name.startsWith(groupKeyPrefix)) return undefined;
    return this.#cache.heldGroup(key.name.slice(groupKeyPrefix.length));
  }
}
