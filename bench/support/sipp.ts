// Runs a SIPp scenario to its end and reads its counts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface SippOptions {
  readonly program: string;
  readonly scenario: string;
  /** `host:port`. */
  readonly target: string;
  /** Calls started for each second. */
  readonly rate: number;
  readonly calls: number;
  /** For its statistics. */
  readonly folder: string;
  /** Values of the scenario's keywords. */
  readonly keys: Readonly<Record<string, string>>;
}

export interface SippCounts {
  readonly succeeded: number;
  readonly failed: number;
  /** Messages that SIPp sent again. */
  readonly retransmissions: number;
  /** Seconds from the first to the last call. */
  readonly elapsed: number;
}

/** Runs the scenario. Rejects when SIPp leaves no statistics. */
export async function runSipp(options: SippOptions): Promise<SippCounts> {
  const { program, scenario, target, rate, calls, folder, keys } = options;
  const statistics = join(folder, 'sipp.csv');
  const started = performance.now();
  const child = spawn(
    program,
    [
      target,
      ...['-sf', scenario],
      ...['-i', '127.0.0.1'],
      ...['-r', String(rate)],
      ...['-m', String(calls)],
      ...['-l', String(rate * 10)],
      ...['-stf', statistics, '-trace_stat'],
      ...['-recv_timeout', '10000'],
      // With its default of 64 kB SIPp loses answers in its own socket while the machine is busy elsewhere.
      ...['-buff_size', '4194304'],
      ...Object.entries(keys).flatMap(([name, value]) => ['-key', name, value]),
      '-nostdin',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-2000);
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  const elapsed = (performance.now() - started) / 1000;
  const rows = (await readFile(statistics, 'utf8').catch(() => '')).trim().split('\n');
  const names = rows[0]?.split(';') ?? [];
  const last = rows.at(-1)?.split(';') ?? [];
  const count = (name: string): number => Number(last[names.indexOf(name)]);
  const succeeded = count('SuccessfulCall(C)');
  if (rows.length < 2 || Number.isNaN(succeeded)) throw new Error(`sipp ended with ${code}: ${complaint}`);
  return { succeeded, failed: calls - succeeded, retransmissions: count('Retransmissions(C)'), elapsed };
}
