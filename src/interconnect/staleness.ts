// Which foreign groups cannot be checked for changes at their home now, kept in the store and at hand for every answer.
import type { Documents } from '../documents/documents.ts';
import type { Store } from '../store/store.ts';
import { type Clock, isoTime } from './clock.ts';

export interface StalenessOptions {
  readonly documents: Pick<Documents, 'markStale'>;
  readonly store: Pick<Store, 'sourceStates'>;
  readonly clock: Clock;
}

export class Staleness {
  readonly #options: StalenessOptions;
  readonly #since = new Map<string, string>();

  constructor(options: StalenessOptions) {
    this.#options = options;
  }

  /** Reads what was marked before the start. */
  async load(): Promise<void> {
    for (const { groupId, staleSince } of await this.#options.store.sourceStates()) {
      if (staleSince !== undefined) this.#since.set(groupId, staleSince);
    }
  }

  /** Since when a group (canonical ID) is stale, ISO 8601; undefined when its copy is current. */
  since(groupId: string): string | undefined {
    return this.#since.get(groupId);
  }

  /** Marks the copy as stale from now on; the first instant of an unbroken stretch stays. */
  async mark(groupId: string): Promise<void> {
    if (this.#since.has(groupId)) return;
    const since = isoTime(this.#options.clock.now());
    this.#since.set(groupId, since);
    await this.#options.documents.markStale(groupId, since);
  }

  /** The home said that the copy is current. */
  async clear(groupId: string): Promise<void> {
    if (this.#since.delete(groupId)) await this.#options.documents.markStale(groupId, undefined);
  }

  /** A fresh copy was stored, or the copy is gone; the store knows. */
  forget(groupId: string): void {
    this.#since.delete(groupId);
  }
}
