// Who watches what: from the watch key of a changed resource to the subscriptions concerned, in one look-up each.
import type { ResourceEntry } from './resource-entry.ts';

/** `Watcher` is a subscription; the index only compares it. */
export class SubscriptionIndex<Watcher> {
  readonly #watchers = new Map<string, Map<Watcher, ResourceEntry>>();

  /**
   * Of several spellings of one address the first one counts (RFC 5875 clause 4.7: overlaps are listed once), and of several components
   * of one document too: who looks for them finds the others in the subscription.
   */
  add(watcher: Watcher, entries: readonly ResourceEntry[]): void {
    for (const entry of entries) {
      const watchers = this.#watchers.get(entry.watch);
      if (watchers === undefined) this.#watchers.set(entry.watch, new Map([[watcher, entry]]));
      else if (!watchers.has(watcher)) watchers.set(watcher, entry);
    }
  }

  remove(watcher: Watcher, entries: readonly ResourceEntry[]): void {
    for (const entry of entries) {
      const watchers = this.#watchers.get(entry.watch);
      if (watchers?.delete(watcher) && watchers.size === 0) this.#watchers.delete(entry.watch);
    }
  }

  /** Watchers of a key, each with the entry by which it watches. */
  watching(watch: string): Iterable<readonly [Watcher, ResourceEntry]> {
    return this.#watchers.get(watch) ?? [];
  }

  /** Number of distinct keys watched. */
  get size(): number {
    return this.#watchers.size;
  }
}
