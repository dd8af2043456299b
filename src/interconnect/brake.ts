// The brake: deletions and withdrawals that would take away more than a set share of a partner's groups wait for an operator.
// A wrong line in an agreement, a mass deletion or a primary that suddenly knows nothing must not empty another system.

import { KeyedQueue } from '../documents/keyed-queue.ts';

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

/** What is told when something begins to wait. */
export interface BrakeHeld {
  readonly partner: string;
  readonly direction: BrakeDirection;
  /** How much would go, and what the rule is. */
  readonly reason: string;
}

/** Where counts outlive a restart, as text under a name. */
export interface BrakeMemory {
  load(name: string): Promise<string | undefined>;
  save(name: string, value: string): Promise<void>;
}

interface Gone {
  /** Beginning of the stretch of time in which they went, milliseconds since 1970. */
  readonly at: number;
  readonly count: number;
}

interface Counts {
  gone: readonly Gone[];
  /** Nothing is held before this instant, milliseconds since 1970. */
  openUntil: number;
}

/** The window is counted in so many stretches, so that what is kept does not grow with what goes. */
const stretches = 60;

export class Brake {
  readonly #settings: () => BrakeSettings;
  readonly #now: () => number;
  readonly #memory: BrakeMemory | undefined;
  readonly #onHeld: ((held: BrakeHeld) => void) | undefined;
  readonly #counts = new Map<string, Counts>();
  /** When somebody was told last, milliseconds since 1970. */
  readonly #told = new Map<string, number>();
  /** Two at once must not both find room for one. */
  readonly #turns = new KeyedQueue();

  /**
   * `now`: milliseconds since 1970. Without `memory` a restart forgets what went. `onHeld` hears once in a window, and again after a
   * release, that the brake holds for a partner in a direction.
   */
  constructor(
    settings: () => BrakeSettings,
    now: () => number,
    memory?: BrakeMemory,
    onHeld?: (held: BrakeHeld) => void,
  ) {
    this.#settings = settings;
    this.#now = now;
    this.#memory = memory;
    this.#onHeld = onHeld;
  }

  /**
   * Lets `count` groups of a partner go and counts them, or says why they must wait; then nothing is counted. `present` tells how many
   * groups are there now, those included; it is asked only when the answer depends on it. What was counted is durable.
   */
  async hold(
    partner: string,
    direction: BrakeDirection,
    count: number,
    present: () => Promise<number>,
  ): Promise<string | undefined> {
    const name = memoName(partner, direction);
    return this.#turns.run(name, async () => {
      const { share, atLeast, window } = this.#settings();
      const counts = await this.#load(name);
      if (counts.openUntil > this.#now()) return undefined;
      const gone = counts.gone.filter(({ at }) => at > this.#now() - window * 1000);
      const before = gone.reduce((sum, one) => sum + one.count, 0);
      if (before + count > atLeast) {
        const all = before + (await present());
        if (before + count > share * all) {
          const rule = `more than ${Math.round(share * 100)} % within ${window} s`;
          const reason = `${before + count} of ${all} ${all === 1 ? 'group' : 'groups'} would go, ${rule}: waits for an operator`;
          this.#tell(name, window, { partner, direction, reason });
          return reason;
        }
      }
      await this.#save(name, { ...counts, gone: added(gone, this.#now(), count, (window * 1000) / stretches) });
      return undefined;
    });
  }

  /** An operator lets go what waits: during one window nothing of this partner is held in this direction. */
  async release(partner: string, direction: BrakeDirection): Promise<void> {
    const name = memoName(partner, direction);
    this.#told.delete(name);
    await this.#turns.run(name, () =>
      this.#save(name, { gone: [], openUntil: this.#now() + this.#settings().window * 1000 }),
    );
  }

  #tell(name: string, window: number, held: BrakeHeld): void {
    const told = this.#told.get(name);
    if (told !== undefined && this.#now() < told + window * 1000) return;
    this.#told.set(name, this.#now());
    this.#onHeld?.(held);
  }

  async #load(name: string): Promise<Counts> {
    const known = this.#counts.get(name);
    if (known !== undefined) return known;
    const kept = await this.#memory?.load(name);
    const counts = kept === undefined ? { gone: [], openUntil: 0 } : (JSON.parse(kept) as Counts);
    this.#counts.set(name, counts);
    return counts;
  }

  async #save(name: string, counts: Counts): Promise<void> {
    await this.#memory?.save(name, JSON.stringify(counts));
    this.#counts.set(name, counts);
  }
}

function memoName(partner: string, direction: BrakeDirection): string {
  return `brake:${direction}:${partner}`;
}

function added(gone: readonly Gone[], now: number, count: number, stretch: number): readonly Gone[] {
  const last = gone.at(-1);
  if (last === undefined || now - last.at >= stretch) return [...gone, { at: now, count }];
  return [...gone.slice(0, -1), { at: last.at, count: last.count + count }];
}
