// SUBSCRIBE -> 200 -> NOTIFY -> 200 for each second over UDP, offered by SIPp to a running `mcgw serve`: new subscriptions of an MC service
// server to a group, persisted before the 200, with the group's real state in the NOTIFY. Bar: 1,500 for each second, no failure.
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findTool, tools } from '../test/tools.ts';
import type { BenchOptions } from './support/bench.ts';
import { type ServedGateway, serveGateway } from './support/served-gateway.ts';
import { runSipp, type SippCounts } from './support/sipp.ts';

const bar = 1500;
const groupId = 'sip:harbour-tg1@red.example';
const scenario = fileURLToPath(new URL('../test/sipp/load.xml', import.meta.url));
const document = new URL('../config/groups/harbour-tg1.xml', import.meta.url);

interface Sample extends SippCounts {
  /** Milliseconds of CPU time of the gateway, all threads, for each subscription. */
  readonly cpu: number;
  /** Resident memory of the gateway at the end, MiB. */
  readonly resident: number;
}

/** Measures and prints; resolves to 1 when the bar was missed or SIPp is missing. */
export async function run({ rounds, seconds, write }: BenchOptions): Promise<number> {
  const sipp = findTool('sipp');
  if (sipp === undefined) {
    write(`needs sipp, Debian package ${tools.sipp}`);
    return 1;
  }
  write(`SUBSCRIBE, 200, NOTIFY, 200 over UDP: ${bar} offered for each second, ${rounds} rounds of ${seconds} s`);
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    const sample = await measure(sipp, seconds);
    samples.push(sample);
    const { succeeded, failed, retransmissions, elapsed, cpu, resident } = sample;
    write(
      `${(succeeded / elapsed).toFixed(0).padStart(6)}/s  ${failed} failed  ${retransmissions} retransmissions  ` +
        `${cpu.toFixed(3)} ms CPU each  ${resident.toFixed(0)} MiB after ${succeeded}`,
    );
  }
  const rates = samples.map(({ succeeded, elapsed }) => succeeded / elapsed).sort((one, other) => one - other);
  const median = rates[Math.floor(rates.length / 2)] ?? 0;
  const failures = samples.reduce((sum, { failed }) => sum + failed, 0);
  // SIPp starts calls by its own clock and ends a little after the last one
  const reached = median >= bar * 0.98 && failures === 0;
  write(
    `median ${median.toFixed(0)}/s, ${failures} failures (bar: ${bar}/s without failure): ${reached ? 'met' : 'MISSED'}`,
  );
  return reached ? 0 : 1;
}

// A fresh gateway for each round: subscriptions of the round before would still be held.
async function measure(sipp: string, seconds: number): Promise<Sample> {
  const folder = await mkdtemp(join(tmpdir(), 'mcgw-bench-'));
  const gateway = await serveGateway(folder);
  try {
    await gateway.putGroup(groupId, await readFile(document));
    const offer = (rate: number, duration: number): Promise<SippCounts> =>
      runSipp({
        program: sipp,
        scenario,
        target: gateway.sip,
        rate,
        calls: rate * duration,
        folder,
        keys: {
          psi: gateway.psi,
          identity: gateway.server,
          expires: '3600',
          entry: `org.openmobilealliance.groups/global/byGroupID/${groupId}`,
        },
      });
    await offer(500, 2);
    const before = cpuTime(gateway);
    const counts = await offer(bar, seconds);
    return { ...counts, cpu: (cpuTime(gateway) - before) / counts.succeeded, resident: residentMemory(gateway) };
  } finally {
    await gateway.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of user and system time, proc(5): fields 14 and 15 in ticks of 10 ms. */
function cpuTime({ pid }: ServedGateway): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // the name in parentheses may hold blanks
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function residentMemory({ pid }: ServedGateway): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? Number.NaN) / 1024;
}
