// Plays a SIPp scenario against a group management server and says how it ended.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Scenario } from './scenario.ts';

const folderOfScenarios = fileURLToPath(new URL('.', import.meta.url));

/** How a play ended: code 0 and no output when everything was as it must be, else what SIPp said last. */
export interface Play {
  readonly code: number;
  readonly output: string;
}

export interface PlayOptions {
  /** Path of SIPp. */
  readonly sipp: string;
  readonly scenario: Pick<Scenario, 'name' | 'sockets' | 'part'>;
  readonly transport: 'udp' | 'tcp';
  /** Of the server; of SIPp itself where the server subscribes. */
  readonly port: number;
  /** Loopback address of both; 127.0.0.1 unless given. */
  readonly address?: '127.0.0.1' | '::1';
  readonly keys: Readonly<Record<string, string>>;
  /** Folder for what SIPp writes. */
  readonly folder: string;
}

/** Runs SIPp once; never rejects. */
export function play({
  sipp,
  scenario,
  transport,
  port,
  address = '127.0.0.1',
  keys,
  folder,
}: PlayOptions): Promise<Play> {
  const errors = join(folder, `${scenario.name}-${transport}.log`);
  const sockets = `${transport[0]}${scenario.sockets === undefined ? '1' : 'n'}`;
  const scenarioFile = join(folderOfScenarios, `${scenario.name}.xml`);
  const args = [
    ...(scenario.part === 'notifier' ? ['-p', String(port)] : [`${address === '::1' ? '[::1]' : address}:${port}`]),
    // SIPp wants 50,000 open files for `-t tn` unless told how many sockets there are
    ...['-sf', scenarioFile, '-m', '1', '-i', address, '-max_socket', '100', '-t', sockets],
    ...['-nostdin', '-timeout', '80s', '-timeout_error', '-trace_err', '-error_file', errors],
    ...Object.entries(keys).flatMap(([key, value]) => ['-key', key, value]),
  ];
  return new Promise((resolve) => {
    execFile(sipp, args, { cwd: folder, timeout: 90_000 }, (error, _, stderr) => {
      if (error === null) resolve({ code: 0, output: '' });
      else {
        const code = typeof error.code === 'number' ? error.code : 1;
        const log = existsSync(errors) ? readFileSync(errors, 'utf8') : '';
        resolve({ code, output: `${stderr.slice(-1000)}${log.slice(0, 4000)}` });
      }
    });
  });
}

/** Shell command that asks the test for something (`POST URL`) and ends with 0 when it was done. */
export function asking(url: string): string {
  return `${process.execPath} ${join(folderOfScenarios, 'ask.ts')} ${url}`;
}
