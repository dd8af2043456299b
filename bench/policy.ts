// A policy of six rules over a group of 5 KB and one of 10,000 members, against xsltproc with an equivalent sheet where it is installed.
// Bars: 2 ms for the small group, 250 ms for the large one, off the event loop.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { PolicyContext } from '../src/policy/policy.ts';
import { loadPolicy } from '../src/policy/policy-file.ts';
import { groupOf, policyText, sheetText } from './policy/workload.ts';
import type { BenchOptions } from './support/bench.ts';
import { find } from './support/programs.ts';
import { quotients, spread } from './support/statistics.ts';

interface Workload {
  readonly title: string;
  readonly document: Buffer;
  /** Milliseconds of processor time, all threads. */
  readonly bar: number;
  /** Runs in one round at most. */
  readonly runs: number;
}

interface Sample {
  /** Milliseconds for one run, from call to result. */
  readonly time: number;
  /** Milliseconds of processor time for one run, all threads. */
  readonly processorTime: number;
  /** Milliseconds of processor time of the thread of the event loop for one run. */
  readonly loopTime: number;
  /** Longest stretch without a turn of the event loop, milliseconds; on a busy machine it waits for a processor, too. */
  readonly longestBlock: number;
  /** The same agreement by xsltproc, milliseconds with the start of its process. */
  readonly xsltproc?: number | undefined;
}

const own = { domains: ['blue.example'], servedUsers: [], awayUsers: [] };
const context: PolicyContext = {
  isServed: (identity) => identity.endsWith('@blue.example'),
  users: { own, either: { domains: ['blue.example', 'red.example'], users: [] } },
  partner: 'red',
  direction: 'inbound',
  groupId: 'sip:measured@red.example',
};

/** What a large group may take of the event loop's thread, milliseconds of processor time. */
const loopTimeAllowed = 20;

/** Measures and prints; resolves to 1 when a result is wrong, or a bar was missed with `check`. */
export async function run({ rounds, seconds, json, check, write }: BenchOptions): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-policy-'));
  const xsltproc = find({ name: 'xsltproc', debianPackage: 'xsltproc' });
  const workloads: readonly Workload[] = [
    { title: 'group of 5 KB', document: Buffer.from(groupOf(14)), bar: 2, runs: 200 },
    { title: 'group of 10,000 members', document: Buffer.from(groupOf(10_000)), bar: 250, runs: 3 },
  ];
  const results: object[] = [];
  let missed = 0;
  try {
    writeFileSync(join(folder, 'policy.yaml'), policyText);
    writeFileSync(join(folder, 'sheet.xsl'), sheetText);
    const policy = await loadPolicy(join(folder, 'policy.yaml'));
    for (const { title, document, bar, runs } of workloads) {
      writeFileSync(join(folder, 'group.xml'), document);
      const once = async (): Promise<void> => {
        const { applied } = await policy.apply(document, context);
        if (applied.length !== 5) throw new Error(`${applied.length} rules acted on the ${title}, not 5`);
      };
      const until = performance.now() + Math.min(seconds, 3) * 1000;
      for (let warm = 0; warm < 6 || (warm < 500 && performance.now() < until && bar < 10); warm++) await once();
      const samples: Sample[] = [];
      for (let round = 0; round < rounds; round++) {
        const ours = await measured(once, runs, seconds);
        samples.push({ ...ours, xsltproc: xsltproc === undefined ? undefined : byXsltproc(xsltproc, folder) });
      }
      const time = spread(samples.map((sample) => sample.time));
      const used = spread(samples.map((sample) => sample.processorTime));
      const loop = spread(samples.map((sample) => sample.loopTime));
      const block = spread(samples.map((sample) => sample.longestBlock));
      const times = spread(
        quotients(
          samples.map((sample) => sample.time),
          samples.map((sample) => sample.xsltproc),
        ),
      );
      const offLoop = bar < 10 || (loop?.median ?? Infinity) <= loopTimeAllowed;
      const inTime = (used?.median ?? Infinity) <= bar && offLoop;
      if (!inTime) missed++;
      write(
        `${title}, ${document.byteLength} bytes: ${shown(time?.median)} ms, ${shown(used?.median)} ms of processor time (bar: ${bar}), ` +
          `${shown(loop?.median)} ms of it in the thread of the event loop (longest block ${shown(block?.median)} ms)` +
          `${inTime ? '' : '   MISSED'}`,
      );
      write(
        times === undefined
          ? '  xsltproc is not here: install the Debian package xsltproc for the ratio'
          : `  ${shown(times.median)} x xsltproc (${shown(times.least)} to ${shown(times.most)}), the start of its process counted`,
      );
      results.push({
        title,
        bytes: document.byteLength,
        bar,
        time,
        processorTime: used,
        loopTime: loop,
        longestBlock: block,
        overXsltproc: times,
      });
    }
    policy.close();
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return check && missed > 0 ? 1 : 0;
}

async function measured(once: () => Promise<void>, runs: number, seconds: number): Promise<Sample> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const before = process.cpuUsage();
  const ofLoop = process.threadCpuUsage();
  const started = performance.now();
  delay.enable();
  let count = 0;
  while (count < runs && (count === 0 || performance.now() - started < seconds * 1000)) {
    await once();
    count++;
  }
  delay.disable();
  const { user, system } = process.cpuUsage(before);
  const loop = process.threadCpuUsage(ofLoop);
  return {
    time: (performance.now() - started) / count,
    processorTime: (user + system) / 1000 / count,
    loopTime: (loop.user + loop.system) / 1000 / count,
    longestBlock: delay.max / 1e6,
  };
}

function byXsltproc(program: string, folder: string): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(program, [join(folder, 'sheet.xsl'), join(folder, 'group.xml')], {
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`xsltproc failed: ${stderr.toString()}`);
  return performance.now() - started;
}

function shown(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(value < 10 ? 2 : 0);
}
