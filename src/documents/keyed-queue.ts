// Work on the same key one after another, work on different keys side by side.
// Writes to one document queue here, so that within this process none of them meets a conflict in the store.

/** Queues by key; a key without work takes no memory. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `work` when all earlier work on `key` has ended, whatever came of it. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    this.#tails.set(key, ended);
    try {
      if (before !== undefined) await before;
      return await work();
    } finally {
      if (this.#tails.get(key) === ended) this.#tails.delete(key);
      end();
    }
  }
}
