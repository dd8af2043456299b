// The last step of every write: the durable commit, then the cache, then one change event, in commit order.

import type { Commit, CommitOutcome, DocumentKey, Store } from '../store/store.ts';
import type { DocumentCache, Known } from './cache.ts';
import type { ChangeEvent, DocumentChange, ServedDocument } from './documents.ts';

/** What a commit does to one document. */
export interface Effect {
  readonly key: DocumentKey;
  readonly previous?: { readonly tag: string; readonly groupId?: string | undefined } | undefined;
  /** Absent = deleted. */
  readonly stored?:
    | { readonly tag: string; readonly bytes: Uint8Array; readonly groupId?: string | undefined }
    | undefined;
  readonly known?: Known | undefined;
}

export class Committer {
  readonly #store: Store;
  readonly #cache: DocumentCache;
  readonly #report: (error: unknown) => void;
  readonly #listeners = new Set<(event: ChangeEvent) => void>();

  /** `report` is told what a listener throws; the write has succeeded all the same. */
  constructor(store: Store, cache: DocumentCache, report: (error: unknown) => void) {
    this.#store = store;
    this.#cache = cache;
    this.#report = report;
  }

  onChange(listener: (event: ChangeEvent) => void): () => void {
    // A wrapper of its own, so that a listener given twice is called twice and stopped once.
    const own = (event: ChangeEvent): void => listener(event);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /**
   * Commits one document write and all its consequences. After `committed`, readers see the new state and the listeners have been called;
   * after `conflict`, what is cached of the document is forgotten.
   */
  async commit(effect: Effect, consequences: Omit<Commit, 'documents'>): Promise<CommitOutcome> {
    const outcome = await this.#store.commit({ documents: [documentWrite(effect)], ...consequences });
    // From here to the end nothing waits: commits become visible in the order in which the store resolves them.
    if (outcome.outcome === 'committed') this.#show(effect, outcome.sequence, outcome.at);
    else if (outcome.outcome === 'conflict') this.#cache.forget(effect.key, effect.previous?.groupId);
    return outcome;
  }

  #show(effect: Effect, sequence: number, at: string): void {
    const { key, previous, stored, known } = effect;
    let document: ServedDocument | undefined;
    if (stored === undefined) this.#cache.forget(key, previous?.groupId);
    else document = this.#cache.replace({ key, ...stored, modified: at }, known ?? {}, previous);
    if (stored?.tag === previous?.tag) return;
    this.#emit({ sequence, changes: [changeOf(effect, document)] });
  }

  #emit(event: ChangeEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        this.#report(error);
      }
    }
  }
}

function documentWrite({ key, previous, stored }: Effect): NonNullable<Commit['documents']>[number] {
  const expected = previous?.tag ?? null;
  return stored === undefined
    ? { write: 'delete', key, expected }
    : { write: 'put', document: { key, ...stored }, expected };
}

function changeOf({ key, previous, stored }: Effect, document: ServedDocument | undefined): DocumentChange {
  const groupId = stored === undefined ? previous?.groupId : stored.groupId;
  const renamed = stored !== undefined && previous?.groupId !== undefined && previous.groupId !== groupId;
  return {
    key,
    groupId,
    previousTag: previous?.tag,
    tag: stored?.tag,
    document,
    ...(renamed ? { previousGroupId: previous.groupId } : {}),
  };
}
