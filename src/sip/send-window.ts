// Paces NOTIFYs: a change that concerns thousands of subscribers must not leave as one burst that the peers' sockets drop.
import type { Timer, TimerOwner, TimerQueue } from './engine/timer-queue.ts';

/** NOTIFYs under way at one time, not counting those that wait long for an answer. */
const width = 48;
/** Milliseconds after which an unanswered NOTIFY no longer holds others up. */
const patience = 100;

/** The place of one NOTIFY in the window; left when it is answered, when patience ends, or when it comes to nothing. */
class Place implements TimerOwner {
  readonly #leave: () => void;
  #timer: Timer | undefined;
  #left = false;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  arm(timers: TimerQueue): void {
    this.#timer = timers.after(patience, this);
  }

  onTimer(): void {
    this.leave();
  }

  leave(): void {
    if (this.#left) return;
    this.#left = true;
    if (this.#timer !== undefined) this.#timer.owner = undefined;
    this.#leave();
  }
}

export class SendWindow<Item> {
  readonly #timers: TimerQueue;
  readonly #start: (item: Item) => Promise<void>;
  #queue: Item[] = [];
  #head = 0;
  #under = 0;

  /** @param start begins the work of an item; its promise settles when the NOTIFY is answered, and must not reject */
  constructor(timers: TimerQueue, start: (item: Item) => Promise<void>) {
    this.#timers = timers;
    this.#start = start;
  }

  /** Items whose turn has not come. */
  get waiting(): number {
    return this.#queue.length - this.#head;
  }

  /** Starts the item now, or when its turn comes. */
  add(item: Item): void {
    this.#queue.push(item);
    this.#pump();
  }

  /** Starts the item now and counts it nowhere: for what comes no faster than it was asked for. */
  pass(item: Item): void {
    void this.#start(item);
  }

  #pump(): void {
    while (this.#under < width && this.#head < this.#queue.length) {
      const item = this.#queue[this.#head];
      this.#head += 1;
      if (this.#head === this.#queue.length || this.#head > 4_096) {
        this.#queue = this.#queue.slice(this.#head);
        this.#head = 0;
      }
      if (item !== undefined) this.#run(item);
    }
  }

  #run(item: Item): void {
    this.#under += 1;
    const place = new Place(() => {
      this.#under -= 1;
      this.#pump();
    });
    place.arm(this.#timers);
    void this.#start(item).finally(() => place.leave());
  }
}
