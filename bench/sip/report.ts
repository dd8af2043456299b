// The SIP results as Markdown tables, and the bars they are held against.
import { quotients, type Spread, spread } from '../support/statistics.ts';
import type { Crowd, Overload, RateSample } from './measure.ts';

/** Samples of one row by server, one for each round. */
export interface RateRow {
  readonly title: string;
  readonly offered: number;
  readonly mcgw: readonly RateSample[];
  readonly kamailio: readonly RateSample[];
}

export interface SipResults {
  readonly subscribe: RateRow;
  readonly lifeCycle: RateRow;
  readonly crowd: Crowd;
  readonly crowdSize: number;
  readonly settleSeconds: number;
  readonly overloads: readonly Overload[];
}

export interface Verdict {
  readonly what: string;
  readonly measured: string;
  readonly bar: string;
  readonly met: boolean;
}

/** Each bar of the SIP budget. */
export function verdicts({
  subscribe,
  lifeCycle,
  crowd,
  crowdSize,
  settleSeconds,
  overloads,
}: SipResults): readonly Verdict[] {
  const flawless = ({ mcgw }: RateRow): boolean => mcgw.every(({ failed }) => failed === 0);
  const rate = (row: RateRow): Spread | undefined => spread(row.mcgw.map((sample) => sample.rate));
  const failures = ({ mcgw }: RateRow): number => mcgw.reduce((sum, { failed }) => sum + failed, 0);
  const rateVerdict = (row: RateRow): Verdict => ({
    what: row.title,
    measured: `${shown(rate(row))}/s, ${failures(row)} failures`,
    bar: `${number(row.offered)}/s without failure`,
    // SIPp starts calls by its own clock and ends a little after the last one
    met: flawless(row) && (rate(row)?.median ?? 0) >= row.offered * 0.97,
  });
  const fanOut = spread(crowd.fanOuts.map(({ last }) => last));
  const share = spread(overloads.map(({ goodput, sustainable }) => (goodput * 100) / sustainable));
  const failed = overloads.reduce((sum, overload) => sum + overload.failed, 0);
  const asked = overloads.reduce((sum, overload) => sum + overload.calls, 0);
  return [
    rateVerdict(subscribe),
    rateVerdict(lifeCycle),
    {
      what: `one change to ${number(crowdSize)} subscribers, the last NOTIFY answered`,
      measured: `${shown(fanOut)} ms`,
      bar: 'under 8,000 ms',
      met: (fanOut?.most ?? Number.POSITIVE_INFINITY) < 8_000,
    },
    {
      what: 'goodput at twice the sustainable rate',
      measured: `${shown(share)} % of it, ${number(failed)} of ${number(asked)} calls without an answer or with another one`,
      bar: 'at least 70 %, the rest 503 with Retry-After but for 1 %',
      met: (share?.median ?? 0) >= 70 && failed < asked / 100,
    },
    {
      what: `resident memory for each subscription, ${settleSeconds} s after set-up`,
      measured: `${number(crowd.bytes / 1000)} kB`,
      bar: 'under 6 kB',
      met: crowd.bytes < 6_000,
    },
  ];
}

/** (a) and (b): one line for each row and server. */
export function rateTable(rows: readonly RateRow[]): readonly string[] {
  const servers = ['mcgw', 'kamailio'] as const;
  const lines = rows.flatMap((row) =>
    servers.map((server) => {
      const samples = row[server];
      const column = (figure: keyof RateSample): string => shown(spread(samples.map((sample) => sample[figure])));
      const sum = (figure: 'failed' | 'retransmissions'): string =>
        number(samples.reduce((total, sample) => total + sample[figure], 0));
      const cells = [column('rate'), column('processorTime'), sum('failed'), sum('retransmissions')];
      return [row.title, server, number(row.offered), ...cells];
    }),
  );
  return table(['what', 'server', 'offered/s', 'done/s', 'processor µs each', 'failures', 'retransmissions'], lines);
}

/** Our processor time over Kamailio's, round by round. */
export function ratioLine({ title, mcgw, kamailio }: RateRow): string {
  const ratio = spread(
    quotients(
      mcgw.map(({ processorTime }) => processorTime),
      kamailio.map(({ processorTime }) => processorTime),
    ),
  );
  return `processor time over Kamailio's, ${title}: ${shown(ratio)} ×`;
}

/** (d): one line for each round. */
export function overloadTable(overloads: readonly Overload[]): readonly string[] {
  return table(
    [
      'sustainable/s',
      'offered/s',
      'served/s',
      'of the sustainable rate',
      'shed with 503',
      'failures',
      'retransmissions',
    ],
    overloads.map(({ sustainable, offered, goodput, shed, failed, retransmissions }) => [
      ...[number(sustainable), number(offered), number(goodput), `${number((goodput * 100) / sustainable)} %`],
      ...[number(shed), number(failed), number(retransmissions)],
    ]),
  );
}

/** (c) and (e). */
export function crowdLines({ fanOuts, bytes, idleBytes }: Crowd, size: number): readonly string[] {
  return [
    `${number(size)} subscriptions: ${number(idleBytes / 1e6)} MB when idle, ${number(bytes / 1000)} kB more for each`,
    `one change: half of them told after ${shown(spread(fanOuts.map(({ middle }) => middle)))} ms, the last after ${shown(spread(fanOuts.map(({ last }) => last)))} ms`,
  ];
}

export function verdictTable(all: readonly Verdict[]): readonly string[] {
  return table(
    ['bar', 'verdict'],
    all.map(({ what, measured, bar, met }) => [`${what}: ${measured} (bar: ${bar})`, met ? 'PASS' : 'MISSED']),
  );
}

function shown(value: Spread | undefined): string {
  if (value === undefined) return 'not measured';
  const { median, least, most } = value;
  return least === most ? number(median) : `${number(median)} (${number(least)} to ${number(most)})`;
}

function number(value: number): string {
  const digits = Number.isInteger(value) || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  return [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...rows.map((row) => `| ${row.join(' | ')} |`)];
}
