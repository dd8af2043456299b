// Medians and spreads of a few samples.

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Median and extremes of the samples; undefined when there are none. */
export function spread(samples: readonly number[]): Spread | undefined {
  const sorted = samples.toSorted((a, b) => a - b);
  const least = sorted[0];
  const most = sorted.at(-1);
  if (least === undefined || most === undefined) return undefined;
  const upper = sorted[sorted.length >> 1] ?? most;
  const lower = sorted[(sorted.length - 1) >> 1] ?? least;
  return { median: (lower + upper) / 2, least, most };
}

/** Quotients of samples that were taken in the same rounds, `over[n] / under[n]`; rounds that lack one of the two are left out. */
export function quotients(
  over: readonly (number | undefined)[],
  under: readonly (number | undefined)[],
): readonly number[] {
  return over.flatMap((value, round) => {
    const divisor = under[round];
    return value === undefined || divisor === undefined || divisor === 0 ? [] : [value / divisor];
  });
}
