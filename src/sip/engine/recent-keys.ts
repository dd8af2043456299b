// Keys seen lately, forgotten after a while: two generations, so that neither time nor number grows without bound.

export class RecentKeys {
  readonly #span: number;
  readonly #limit: number;
  readonly #now: () => number;
  #young = new Set<string>();
  #old = new Set<string>();
  #turned: number;

  /**
   * @param span milliseconds for which a key is remembered at least, unless there are too many; at most twice as long
   * @param limit keys of one generation
   * @param now the time in milliseconds
   */
  constructor(span: number, limit: number, now: () => number) {
    this.#span = span;
    this.#limit = limit;
    this.#now = now;
    this.#turned = now();
  }

  has(key: string): boolean {
    this.#turn();
    return this.#young.has(key) || this.#old.has(key);
  }

  add(key: string): void {
    this.#turn();
    this.#young.add(key);
  }

  #turn(): void {
    const age = this.#now() - this.#turned;
    if (age < this.#span && this.#young.size < this.#limit) return;
    this.#old = age < 2 * this.#span ? this.#young : new Set();
    this.#young = new Set();
    this.#turned = this.#now();
  }
}
