// A growing list of things seen, and a way to wait for the next one that fits: waits end by the event, never by sleeping.

interface Waiter<T> {
  readonly fits: (item: T) => boolean;
  readonly resolve: (item: T) => void;
}

export class Observations<T> {
  readonly #items: T[] = [];
  readonly #waiters = new Set<Waiter<T>>();

  add(item: T): void {
    this.#items.push(item);
    for (const waiter of this.#waiters) {
      if (!waiter.fits(item)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(item);
    }
  }

  /** How many were seen so far; give it to `count` later to prove that nothing came in between. */
  get length(): number {
    return this.#items.length;
  }

  /** Items seen since position `from` that fit. */
  since(from: number, fits: (item: T) => boolean): readonly T[] {
    return this.#items.slice(from).filter(fits);
  }

  /**
   * The first item from position `from` on that fits, waiting up to `milliseconds` for it.
   * Rejects with a sentence that names `what` was awaited.
   */
  async first(from: number, fits: (item: T) => boolean, what: string, milliseconds = 8000): Promise<T> {
    const seen = this.#items.slice(from).find(fits);
    if (seen !== undefined) return seen;
    let giveUp: NodeJS.Timeout | undefined;
    let waiter: Waiter<T> | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        waiter = { fits, resolve };
        this.#waiters.add(waiter);
        giveUp = setTimeout(
          () => reject(new Error(`${what} did not come within ${milliseconds / 1000} s`)),
          milliseconds,
        );
      });
    } finally {
      clearTimeout(giveUp);
      if (waiter !== undefined) this.#waiters.delete(waiter);
    }
  }
}
