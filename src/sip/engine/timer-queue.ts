// One queue for all timers of the engine: a binary heap and a single armed wake-up, instead of a runtime timer for every
// transaction. The clock comes in as an argument, so tests move time themselves.

/** Where the engine gets its time from. Milliseconds, monotonic. */
export interface Clock {
  now(): number;
  /** Calls back once after `delay` milliseconds; the answer cancels. */
  wakeAfter(delay: number, wake: () => void): () => void;
}

/** Something with a timer: a transaction, usually. */
export interface TimerOwner {
  onTimer(now: number): void;
}

/** A timer that was set; `owner` is cleared when it is cancelled or has fired. */
export interface Timer {
  readonly due: number;
  owner: TimerOwner | undefined;
}

/** The clock of the running process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wakeAfter(delay, wake) {
    const timeout = setTimeout(wake, delay);
    return () => clearTimeout(timeout);
  },
};

export class TimerQueue {
  readonly #clock: Clock;
  readonly #heap: Timer[] = [];
  #cancelWake: (() => void) | undefined;
  #wakeDue = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  /** Sets a timer `delay` milliseconds from now. A cancelled timer costs its heap entry until it would have fired. */
  after(delay: number, owner: TimerOwner): Timer {
    const timer = { due: this.#clock.now() + delay, owner };
    this.#push(timer);
    if (timer.due < this.#wakeDue) this.#arm(timer.due);
    return timer;
  }

  /** Forgets every timer and the wake-up. */
  stop(): void {
    this.#heap.length = 0;
    this.#cancelWake?.();
    this.#cancelWake = undefined;
    this.#wakeDue = 0;
  }

  #arm(due: number): void {
    this.#cancelWake?.();
    this.#wakeDue = due;
    this.#cancelWake = this.#clock.wakeAfter(Math.max(0, Math.ceil(due - this.#clock.now())), () => this.#fire());
  }

  #fire(): void {
    const now = this.#clock.now();
    this.#wakeDue = 0;
    for (let first = this.#heap[0]; first && first.due <= now; first = this.#heap[0]) {
      this.#pop();
      const { owner } = first;
      first.owner = undefined;
      owner?.onTimer(now);
    }
    const next = this.#heap[0];
    this.#cancelWake = undefined;
    this.#wakeDue = Number.POSITIVE_INFINITY;
    if (next) this.#arm(next.due);
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (!parent || parent.due <= timer.due) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    const size = heap.length;
    if (!last || size === 0) return;
    let at = 0;
    for (let below = 1; below < size; below = 2 * at + 1) {
      let child = heap[below];
      const right = heap[below + 1];
      if (right && child && below + 1 < size && right.due < child.due) {
        child = right;
        below++;
      }
      if (!child || child.due >= last.due) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }
}
