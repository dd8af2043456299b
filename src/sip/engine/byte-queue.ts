// A growing window over a stream of octets: appending is amortised constant, so octets that arrive one by one cost no
// more than octets that arrive together.

export class ByteQueue {
  #store = Buffer.allocUnsafeSlow(2048);
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** The octets waiting; valid until the next append. */
  view(): Buffer {
    return this.#store.subarray(this.#start, this.#end);
  }

  append(chunk: Buffer): void {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#store.length - this.#end < chunk.length) this.#makeRoom(chunk.length);
    chunk.copy(this.#store, this.#end);
    this.#end += chunk.length;
  }

  /** Takes the first octets away. */
  drop(count: number): void {
    this.#start += count;
    if (this.#start < this.#end) return;
    this.#start = this.#end = 0;
    // A connection that once carried a large message does not keep its room.
    if (this.#store.length > 262_144) this.#store = Buffer.allocUnsafeSlow(2048);
  }

  #makeRoom(count: number): void {
    const needed = this.length + count;
    const target = needed * 2 > this.#store.length ? Buffer.allocUnsafeSlow(needed * 2) : this.#store;
    this.#store.copy(target, 0, this.#start, this.#end);
    this.#end = this.length;
    this.#start = 0;
    this.#store = target;
  }
}
