// Overload control: when the applications answer late for a while, only as many new requests are let through as they have
// been answering, so that more load costs a refusal each and not the service of everybody.

/** What counts as late, and what is let through in any case. Times in milliseconds. */
export interface OverloadLimits {
  /** Wait for an answer that even the fastest request of a window exceeds when applications are overloaded. */
  readonly target: number;
  readonly window: number;
  /** Late windows in a row before anything is refused: a pause of a moment is none. */
  readonly patience: number;
  /** Requests for each second that are always let through. */
  readonly least: number;
}

export const OVERLOAD_LIMITS: OverloadLimits = { target: 200, window: 100, patience: 5, least: 100 };

/** Share of the measured service that is let through after a late window: the rest lets the queue drain. */
const BACK_OFF = 0.9;
/** Times the target that a queue may take to work off while requests are refused. */
const QUEUE = 2;
/** Times the target that applications may be silent. */
const SILENCE = 5;
/** Growth for each window that is in time. */
const RECOVERY = 1.05;
/** Windows without refusal after which nothing is limited any more. */
const CALM = 20;
/** Weight of the last window in the measured service. */
const SMOOTHING = 0.2;

/**
 * Watches how long applications take and decides which new requests they get. The fastest answer of a window tells: a
 * request that waits for something elsewhere says nothing about the others.
 */
export class OverloadControl {
  readonly #limits: OverloadLimits;
  #windowStart = 0;
  #answered = 0;
  #fastest = Number.POSITIVE_INFINITY;
  #refused = 0;
  /** Requests given to applications and not answered. */
  #waiting = 0;
  /** Since when something has been waiting without any answer coming. */
  #silentSince = 0;
  #late = 0;
  #calm = 0;
  /** Answers for each second, smoothed. */
  #service = 0;
  /** Requests for each second that are let through; infinite while there is no overload. */
  #rate = Number.POSITIVE_INFINITY;
  #allowance = 0;
  #filled = 0;

  constructor(limits: OverloadLimits = OVERLOAD_LIMITS) {
    this.#limits = limits;
  }

  /** True while requests are refused. */
  get limiting(): boolean {
    return this.#rate !== Number.POSITIVE_INFINITY;
  }

  /** Decides about one new request. @param now milliseconds, monotonic */
  admits(now: number): boolean {
    this.#turn(now);
    if (!this.limiting) return true;
    // A queue that had grown before anybody noticed is worked off first.
    const { least, target, window } = this.#limits;
    const full = this.#waiting > Math.max(least, (this.#service * QUEUE * target) / 1000);
    const rate = full ? least : this.#rate;
    const most = Math.max(1, (rate * window) / 1000);
    this.#allowance = Math.min(most, this.#allowance + ((now - this.#filled) * rate) / 1000);
    this.#filled = now;
    if (this.#allowance >= 1) {
      this.#allowance--;
      return true;
    }
    this.#refused++;
    return false;
  }

  /** An application was given a request. */
  given(now: number): void {
    if (this.#waiting === 0) this.#silentSince = now;
    this.#waiting++;
  }

  /** An application answered, or the request was given up. @param since when it was given, as in `given` */
  answered(now: number, since: number): void {
    this.#turn(now);
    this.#waiting--;
    this.#silentSince = now;
    this.#answered++;
    this.#fastest = Math.min(this.#fastest, now - since);
  }

  #turn(now: number): void {
    const { window, target, patience } = this.#limits;
    const elapsed = now - this.#windowStart;
    if (elapsed < window) return;
    const silence = this.#waiting > 0 ? now - this.#silentSince : 0;
    // Nothing at all is a pause, after which everything may come at once, until it has lasted.
    const wait = this.#answered > 0 ? this.#fastest : silence > SILENCE * target ? silence : 0;
    // After a quiet time the old measure means nothing.
    const share = elapsed > 10 * window ? 1 : 1 - (1 - SMOOTHING) ** (elapsed / window);
    this.#service += ((this.#answered / elapsed) * 1000 - this.#service) * share;
    if (wait > target) {
      this.#late++;
      if (this.#late >= patience) this.#slowDown(now);
    } else {
      this.#late = 0;
      if (this.limiting) this.#recover();
    }
    this.#windowStart = now;
    this.#answered = 0;
    this.#refused = 0;
    this.#fastest = Number.POSITIVE_INFINITY;
  }

  #slowDown(now: number): void {
    if (!this.limiting) {
      this.#allowance = 0;
      this.#filled = now;
    }
    this.#calm = 0;
    this.#rate = Math.max(this.#limits.least, Math.min(this.#rate, this.#service * BACK_OFF));
  }

  #recover(): void {
    this.#calm = this.#refused > 0 ? 0 : this.#calm + 1;
    if (this.#calm >= CALM) this.#rate = Number.POSITIVE_INFINITY;
    // What is not asked for need not grow.
    else if (this.#refused > 0) this.#rate *= RECOVERY;
  }
}
