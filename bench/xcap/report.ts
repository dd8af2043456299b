// The results as Markdown tables and as lines of verdicts.
import { type Spread, spread } from '../support/statistics.ts';
import type { CandidateName } from './candidate.ts';
import type { Sample } from './measure.ts';
import { type Cell, type Result, ratio, type Verdict } from './results.ts';

/** Share of the machine that others may use before rates are doubtful. */
const quiet = 0.05;

const others: readonly CandidateName[] = ['node:http', 'nginx', 'kamailio'];

/** One line for each workload and candidate: median, and least to most in parentheses. */
export function resultTable(results: readonly Result[]): readonly string[] {
  const loops = results.some(
    ({ cell }) => cell.state === 'measured' && cell.samples.some((s) => s?.longestBlock !== undefined),
  );
  const head = [
    'what',
    'server',
    'requests/s',
    'processor µs/request',
    'p50 ms',
    'p99 ms',
    ...(loops ? ['longest block ms'] : []),
  ];
  const rows = results.map(({ title, candidate, cell }) => [title, candidate, ...figuresOf(cell, loops)]);
  return table(head, rows);
}

/** Our rate and processor time over those of the others: medians of the quotients of each round. */
export function ratioTable(results: readonly Result[]): readonly string[] {
  const head = ['mcgw over', ...others.flatMap((name) => [`${name}, rate`, `${name}, processor time`])];
  const ours = results.filter(({ candidate }) => candidate === 'mcgw');
  const rows = ours.map(({ workload, title }) => [
    title,
    ...others.flatMap((name) => [
      times(ratio(results, workload, name, 'rate')),
      times(ratio(results, workload, name, 'processorTime')),
    ]),
  ]);
  return table(head, rows);
}

/** One line for each bar. */
export function verdictLines(verdicts: readonly Verdict[]): readonly string[] {
  return verdicts.map(({ what, bar, unit, outcome, measured }) => {
    const found = measured === undefined ? '' : `: ${shown(measured)} ${unit}`;
    return `${outcome}  ${what}${found} (bar: ${bar} ${unit})`;
  });
}

/** How much of the machine somebody else used during the measurement; rates mean little when it is much. */
export function othersLine(results: readonly Result[]): string {
  const found = spread(
    results.flatMap(({ cell }) => (cell.state === 'measured' ? cell.samples.flatMap((s) => s?.others ?? []) : [])),
  );
  if (found === undefined) return 'nothing was measured';
  const [median, most] = [found.median, found.most].map((share) => `${Math.round(share * 100)} %`);
  const advice = found.median > quiet ? ': rates are not to be relied on, look at processor time' : '';
  return `others used ${median} of the processors, ${most} at most${advice}`;
}

function figuresOf(cell: Cell, loops: boolean): readonly string[] {
  if (cell.state !== 'measured') return [`${cell.state}: ${cell.reason.replace(/\s+/g, ' ').replaceAll('|', '\\|')}`];
  const figures: readonly (keyof Sample)[] = [
    'rate',
    'processorTime',
    'p50',
    'p99',
    ...(loops ? ['longestBlock' as const] : []),
  ];
  return figures.map((figure) => {
    const found = spread(cell.samples.flatMap((sample) => sample?.[figure] ?? []));
    return found === undefined ? '' : shown(found);
  });
}

function times(value: Spread | undefined): string {
  return value === undefined ? '' : `${shown(value)} ×`;
}

function shown({ median, least, most }: Spread): string {
  return least === most ? number(median) : `${number(median)} (${number(least)} to ${number(most)})`;
}

function number(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${head.map((_, n) => cells[n] ?? '').join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)];
}
