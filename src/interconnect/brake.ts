// The brake: deletions and withdrawals that would take away more than a set share of a partner's groups wait for an operator.
// A wrong line in an agreement, a mass deletion or a primary that suddenly knows nothing must not empty another system.

export interface BrakeSettings {
  /** Share of the groups, 0 to 1, that may go within the window; 1 = the brake never holds. */
  readonly share: number;
  /** So many may always go within the window. */
  readonly atLeast: number;
  /** Seconds over which what goes is counted. */
  readonly window: number;
}

/** `withdrawal`: our groups leave the partner. `removal`: copies of the partner's groups leave us. */
export type BrakeDirection = 'withdrawal' | 'removal';

interface Gone {
  readonly at: number;
  readonly count: number;
}

export class Brake {
  readonly #settings: () => BrakeSettings;
  readonly #now: () => number;
  readonly #gone = new Map<string, Gone[]>();
  readonly #openUntil = new Map<string, number>();

  /** `now`: milliseconds since 1970. */
  constructor(settings: () => BrakeSettings, now: () => number) {
    this.#settings = settings;
    this.#now = now;
  }

  /**
   * Lets `count` groups of a partner go and counts them, or says why they must wait; then nothing is counted. `present` tells how many
   * groups are there now, those included; it is asked only when the answer depends on it.
   */
  async hold(
    partner: string,
    direction: BrakeDirection,
    count: number,
    present: () => Promise<number>,
  ): Promise<string | undefined> {
    const { share, atLeast, window } = this.#settings();
    const key = `${direction} ${partner}`;
    if ((this.#openUntil.get(key) ?? 0) > this.#now()) return undefined;
    const gone = this.#recent(key, window);
    const before = gone.reduce((sum, one) => sum + one.count, 0);
    if (before + count > atLeast) {
      const all = before + (await present());
      if (before + count > share * all) {
        const rule = `more than ${Math.round(share * 100)} % within ${window} s`;
        return `${before + count} of ${all} groups would go, ${rule}: waits for an operator`;
      }
    }
    gone.push({ at: this.#now(), count });
    return undefined;
  }

  /** An operator lets go what waits: during one window nothing of this partner is held in this direction. */
  release(partner: string, direction: BrakeDirection): void {
    const key = `${direction} ${partner}`;
    this.#gone.delete(key);
    this.#openUntil.set(key, this.#now() + this.#settings().window * 1000);
  }

  #recent(key: string, window: number): Gone[] {
    const since = this.#now() - window * 1000;
    const recent = (this.#gone.get(key) ?? []).filter(({ at }) => at > since);
    this.#gone.set(key, recent);
    return recent;
  }
}
