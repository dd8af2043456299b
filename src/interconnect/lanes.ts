// Bounds what is asked of each partner at once: a few requests run, others wait their turn, more are refused. When a partner does
// not answer several times in a row, those that wait learn it at once instead of finding out one by one.
import { Refusal } from '../refusals.ts';

export interface LaneLimits {
  /** Requests to one partner under way at once. */
  readonly running: number;
  /** Requests to one partner that may wait. */
  readonly waiting: number;
  /** Answers missing in a row after which those that wait are given up. */
  readonly failures: number;
}

interface Lane {
  running: number;
  failures: number;
  readonly waiting: { readonly begin: () => void; readonly giveUp: (refusal: Refusal) => void }[];
}

/** Seconds after which a partner that is asked too much may be asked again. */
const retryAfter = 1;

export class Lanes {
  readonly #limits: LaneLimits;
  readonly #lanes = new Map<string, Lane>();

  constructor(limits: LaneLimits) {
    this.#limits = limits;
  }

  /**
   * Runs `work` when a place for this partner is free. `isSilence` tells of its result that the partner did not answer. Throws
   * `unavailable` when too many wait already, `partner-unreachable` when the partner fell silent while this one waited.
   */
  async run<Result>(
    partner: string,
    work: () => Promise<Result>,
    isSilence: (result: Result) => boolean,
  ): Promise<Result> {
    const lane = this.#lane(partner);
    if (lane.running >= this.#limits.running) await this.#turn(lane);
    else lane.running += 1;
    try {
      const result = await work();
      lane.failures = isSilence(result) ? lane.failures + 1 : 0;
      if (lane.failures >= this.#limits.failures) this.#giveUp(lane);
      return result;
    } finally {
      this.#leave(partner, lane);
    }
  }

  /** Requests under way and waiting, by partner; without those that have none. */
  get load(): ReadonlyMap<string, { readonly running: number; readonly waiting: number }> {
    return new Map(
      [...this.#lanes].map(([partner, { running, waiting }]) => [partner, { running, waiting: waiting.length }]),
    );
  }

  async #turn({ waiting }: Lane): Promise<void> {
    if (waiting.length >= this.#limits.waiting)
      throw new Refusal('unavailable', { retryAfter, cause: 'too many requests wait for the partner' });
    await new Promise<void>((begin, giveUp) => waiting.push({ begin, giveUp }));
  }

  #giveUp({ waiting }: Lane): void {
    const refusal = new Refusal('partner-unreachable', { cause: 'the partner did not answer others before' });
    for (const { giveUp } of waiting.splice(0)) giveUp(refusal);
  }

  #leave(partner: string, lane: Lane): void {
    const next = lane.waiting.shift();
    if (next !== undefined) {
      next.begin();
      return;
    }
    lane.running -= 1;
    if (lane.running === 0 && lane.failures === 0) this.#lanes.delete(partner);
  }

  #lane(partner: string): Lane {
    let lane = this.#lanes.get(partner);
    if (lane === undefined) {
      lane = { running: 0, failures: 0, waiting: [] };
      this.#lanes.set(partner, lane);
    }
    return lane;
  }
}
