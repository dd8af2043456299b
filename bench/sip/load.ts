// SIPp as the load of the SIP measurement: one scenario against one server, with its counts and its statistics second by second.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Running } from '../support/running.ts';
import type { Site } from '../support/site.ts';

/** One run of SIPp. */
export interface Load {
  /** SIPp's scenario, XML. */
  readonly scenario: string;
  /** `host:port`. */
  readonly target: string;
  /** Calls started for each second, and how many in all. */
  readonly rate: number;
  readonly calls: number;
  /** Values of the scenario's keywords. */
  readonly keys: Readonly<Record<string, string>>;
}

/** What came of it. */
export interface LoadCounts {
  readonly succeeded: number;
  readonly failed: number;
  /** Messages that SIPp sent again. */
  readonly retransmissions: number;
  /** Seconds from start to end. */
  readonly elapsed: number;
  /** Calls that the scenario counted as refused in good order. */
  readonly shed: number;
  /** Totals about once for each second: what the scenario counted as served, and when. */
  readonly course: readonly { readonly at: number; readonly served: number }[];
}

/** A SIPp that is running. */
export interface RunningLoad {
  /** Resolves when its last call has ended; rejects when it leaves no statistics. */
  readonly counts: Promise<LoadCounts>;
  /** Lines that the scenario has logged so far. */
  log(): Promise<readonly string[]>;
}

let runs = 0;

/** Starts SIPp. */
export async function startLoad(site: Site, sipp: string, load: Load): Promise<RunningLoad> {
  runs += 1;
  const file = (name: string): string => join(site.folder, `load-${runs}-${name}`);
  const [scenario, statistics, log] = [file('scenario.xml'), file('statistics.csv'), file('log')];
  await writeFile(scenario, load.scenario);
  const running = site.start({
    program: sipp,
    args: [
      load.target,
      ...['-sf', scenario],
      ...['-i', '127.0.0.1'],
      ...['-r', String(load.rate)],
      ...['-m', String(load.calls)],
      // more than can be open at a time: a slow server must not slow down what is offered
      ...['-l', String(load.calls)],
      ...['-stf', statistics, '-trace_stat', '-fd', '1'],
      ...['-trace_logs', '-log_file', log],
      ...['-recv_timeout', '10000'],
      // With its default of 64 kB SIPp loses answers in its own socket while the machine is busy elsewhere.
      ...['-buff_size', '4194304'],
      ...Object.entries(load.keys).flatMap(([name, value]) => ['-key', name, value]),
      ...['-nostdin', '-nd'],
    ],
  });
  return {
    counts: countsOf(running, statistics, load.calls),
    log: async () => (await readFile(log, 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
  };
}

/** Runs SIPp to its end. */
export async function runLoad(site: Site, sipp: string, load: Load): Promise<LoadCounts> {
  return (await startLoad(site, sipp, load)).counts;
}

async function countsOf(running: Running, statistics: string, calls: number): Promise<LoadCounts> {
  const started = performance.now();
  const code = await running.ended;
  const elapsed = (performance.now() - started) / 1000;
  const [head = '', ...rows] = (await readFile(statistics, 'utf8').catch(() => '')).trim().split('\n');
  const names = head.split(';');
  const table = rows.map((row) => {
    const cells = row.split(';');
    const count = (name: string): number => Number(cells[names.indexOf(`${name}(C)`)]);
    return {
      at: secondsOf(cells[names.indexOf('ElapsedTime(C)')] ?? ''),
      succeeded: count('SuccessfulCall'),
      retransmissions: count('Retransmissions'),
      served: count('served'),
      shed: count('shed'),
    };
  });
  const last = table.at(-1);
  if (last === undefined || Number.isNaN(last.succeeded)) {
    throw new Error(`sipp ended with ${code}: ${running.output.slice(-5).join(' ')}`);
  }
  const { succeeded, retransmissions, shed } = last;
  return { succeeded, failed: calls - succeeded, retransmissions, elapsed, shed: shed || 0, course: table };
}

/** `HH:MM:SS`, as SIPp writes a duration. */
function secondsOf(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.split(':').map(Number);
  return hours * 3600 + minutes * 60 + seconds;
}
