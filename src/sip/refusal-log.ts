// Keeps refused requests from flooding the log: a few lines as they come, then one line with the counts of a whole period.
import type { TimerOwner, TimerQueue } from './engine/timer-queue.ts';

/** Lines written at once in each period. */
const linesAtOnce = 10;
/** Milliseconds. */
const period = 10_000;
/** Different kinds counted by name; the rest counts as `other`, because a code never comes from the peer but a fault's text may. */
const mostKinds = 50;

interface InfoLog {
  info(fields: object, text: string): void;
}

/** A log whose `info` lines are limited; lines are counted by their field `refusal`. */
export class RefusalLog implements InfoLog, TimerOwner {
  readonly #timers: TimerQueue;
  readonly #log: InfoLog;
  readonly #held = new Map<string, number>();
  #lines = 0;

  constructor(timers: TimerQueue, log: InfoLog) {
    this.#timers = timers;
    this.#log = log;
  }

  info(fields: object, text: string): void {
    if (this.#lines === 0) this.#timers.after(period, this);
    this.#lines += 1;
    if (this.#lines <= linesAtOnce) {
      this.#log.info(fields, text);
      return;
    }
    const named = String('refusal' in fields ? fields.refusal : text);
    const kind = this.#held.has(named) || this.#held.size < mostKinds ? named : 'other';
    this.#held.set(kind, (this.#held.get(kind) ?? 0) + 1);
  }

  onTimer(): void {
    this.#lines = 0;
    if (this.#held.size === 0) return;
    this.#log.info({ seconds: period / 1000, refusals: Object.fromEntries(this.#held) }, 'more SIP requests refused');
    this.#held.clear();
  }
}
