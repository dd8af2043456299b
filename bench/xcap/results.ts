// What came out of a measurement, and the bars it is held against.
import { quotients, type Spread, spread } from '../support/statistics.ts';
import type { CandidateName } from './candidate.ts';
import type { Sample } from './measure.ts';
import type { WorkloadId } from './workloads.ts';

/** One workload on one candidate. A failed round has no sample. */
export type Cell =
  | { readonly state: 'measured'; readonly samples: readonly (Sample | undefined)[] }
  | { readonly state: 'not served'; readonly reason: string }
  | { readonly state: 'failed'; readonly reason: string };

export interface Result {
  readonly workload: WorkloadId;
  readonly title: string;
  readonly candidate: CandidateName;
  readonly cell: Cell;
}

export type Outcome = 'PASS' | 'MISSED' | 'NOT SERVED' | 'NOT MEASURED';

export interface Verdict {
  readonly what: string;
  readonly workload: WorkloadId;
  readonly bar: string;
  readonly outcome: Outcome;
  /** What was measured; absent when nothing was. */
  readonly measured?: Spread;
  readonly unit: string;
}

/** Samples of one figure by round. */
export function figures(
  results: readonly Result[],
  workload: WorkloadId,
  candidate: CandidateName,
  figure: keyof Sample,
): readonly (number | undefined)[] {
  const cell = results.find((result) => result.workload === workload && result.candidate === candidate)?.cell;
  return cell?.state === 'measured' ? cell.samples.map((sample) => sample?.[figure]) : [];
}

/** Our figure over that of another candidate, round by round. */
export function ratio(
  results: readonly Result[],
  workload: WorkloadId,
  candidate: CandidateName,
  figure: keyof Sample,
): Spread | undefined {
  const ours = figures(results, workload, 'mcgw', figure);
  return spread(quotients(ours, figures(results, workload, candidate, figure)));
}

interface Bar {
  readonly what: string;
  readonly workload: WorkloadId;
  readonly bar: string;
  readonly unit: string;
  measured(results: readonly Result[]): Spread | undefined;
  met(measured: Spread): boolean;
}

const bars: readonly Bar[] = [
  rateBar('GET rate over Kamailio', 'get', 5),
  {
    what: 'GET processor time over bare node:http',
    workload: 'get',
    bar: 'at most 2',
    unit: '×',
    measured: (results) => ratio(results, 'get', 'node:http', 'processorTime'),
    met: ({ median }) => median <= 2,
  },
  rateBar('element GET rate over Kamailio', 'element-get', 8),
  rateBar('PUT rate over Kamailio', 'put', 1),
  {
    what: 'element PUT with 10,000 members, 99th percentile',
    workload: 'element-put-2m',
    bar: 'under 120',
    unit: 'ms',
    measured: (results) => own(results, 'p99'),
    met: ({ median }) => median < 120,
  },
  {
    what: 'element PUT with 10,000 members, longest block of the event loop',
    workload: 'element-put-2m',
    bar: 'at most 20',
    unit: 'ms',
    measured: (results) => own(results, 'longestBlock'),
    // "never": the worst round counts
    met: ({ most }) => most <= 20,
  },
];

/** Each bar against the results. */
export function verdicts(results: readonly Result[]): readonly Verdict[] {
  return bars.map(({ what, workload, bar, unit, measured, met }) => {
    const found = measured(results);
    const ours = results.find((result) => result.workload === workload && result.candidate === 'mcgw')?.cell;
    if (ours?.state === 'not served') return { what, workload, bar, unit, outcome: 'NOT SERVED' };
    if (found === undefined) return { what, workload, bar, unit, outcome: 'NOT MEASURED' };
    return { what, workload, bar, unit, outcome: met(found) ? 'PASS' : 'MISSED', measured: found };
  });
}

function rateBar(what: string, workload: WorkloadId, least: number): Bar {
  return {
    what,
    workload,
    bar: `at least ${least}`,
    unit: '×',
    measured: (results) => ratio(results, workload, 'kamailio', 'rate'),
    met: ({ median }) => median >= least,
  };
}

function own(results: readonly Result[], figure: keyof Sample): Spread | undefined {
  const samples = figures(results, 'element-put-2m', 'mcgw', figure);
  return spread(samples.filter((sample) => sample !== undefined));
}
