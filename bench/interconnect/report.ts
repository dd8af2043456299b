// The figures of interconnection as tables for a reader.
import { spread } from '../support/statistics.ts';

export interface Figures {
  readonly row: string;
  /** Of each single one, where latency is measured. */
  readonly milliseconds?: readonly number[];
  /** Of each round, where throughput is measured. */
  readonly rates?: readonly number[];
  readonly count: number;
  /** Of both gateways together, for all of them. */
  readonly processorSeconds: number;
  /** Milliseconds to stay under. */
  readonly bar?: { readonly p50: number; readonly p99: number };
}

export interface Summary {
  readonly p50?: number | undefined;
  readonly p99?: number | undefined;
  readonly most?: number | undefined;
  readonly rate?: number | undefined;
  readonly processorMilliseconds: number;
}

export interface Verdict {
  readonly line: string;
  readonly passed: boolean;
}

/** Percentiles in milliseconds, the median rate, processor time each. */
export function summary({ milliseconds = [], rates = [], count, processorSeconds }: Figures): Summary {
  const sorted = milliseconds.toSorted((one, other) => one - other);
  const at = (share: number): number | undefined => sorted[Math.ceil(sorted.length * share) - 1];
  return {
    p50: at(0.5),
    p99: at(0.99),
    most: sorted.at(-1),
    rate: spread(rates)?.median,
    processorMilliseconds: (processorSeconds * 1000) / count,
  };
}

/** A Markdown table, one line a row. */
export function resultTable(figures: readonly Figures[]): readonly string[] {
  const cell = (value: number | undefined): string => (value === undefined ? '' : value.toPrecision(3));
  return [
    '| what | count | p50 ms | p99 ms | longest ms | a second | processor ms each, both gateways |',
    '|---|---|---|---|---|---|---|',
    ...figures.map((figure) => {
      const { p50, p99, most, rate, processorMilliseconds } = summary(figure);
      const cells = [cell(p50), cell(p99), cell(most), rate === undefined ? '' : rate.toFixed(0)];
      return `| ${figure.row} | ${figure.count} | ${cells.join(' | ')} | ${cell(processorMilliseconds)} |`;
    }),
  ];
}

/** What became of the bars. */
export function verdictsOf(figures: readonly Figures[]): readonly Verdict[] {
  return figures.flatMap((figure) => {
    const { bar, row } = figure;
    if (bar === undefined) return [];
    const { p50 = Number.POSITIVE_INFINITY, p99 = Number.POSITIVE_INFINITY } = summary(figure);
    const passed = p50 < bar.p50 && p99 < bar.p99;
    const text = `p50 ${p50.toFixed(1)} ms (bar: under ${bar.p50} ms), p99 ${p99.toFixed(1)} ms (bar: under ${bar.p99} ms)`;
    return [{ line: `| ${row}: ${text} | ${passed ? 'PASS' : 'MISSED'} |`, passed }];
  });
}
