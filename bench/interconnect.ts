// `npm run bench -- interconnect`: two gateways as they run in earnest, mutual TLS between them, an MC service server subscribed at the
// partner. How long a write at the primary takes to reach it (flow A), how long a group takes that is not stored (flow B), how many
// provisions a second last.
import { writeFile } from 'node:fs/promises';
import { demoFolder } from '../src/demo/systems.ts';
import { type Interconnected, interconnected } from './interconnect/interconnected.ts';
import { type Figures, resultTable, summary, verdictsOf } from './interconnect/report.ts';
import { provisionRate, requestTimes, writeTimes } from './interconnect/workloads.ts';
import type { BenchOptions } from './support/bench.ts';
import { machine } from './support/machine.ts';

/** Writes and requests that are not counted. */
const warmUp = 150;

/** Measures and prints. Resolves to 1 when something failed, or with `--check` when a bar was missed. */
export async function run({ rounds, seconds, json, check, write }: BenchOptions): Promise<number> {
  const started = new Date();
  const on = machine();
  const figures = await withPair((pair) => measure(pair, rounds, seconds, write));
  const verdicts = verdictsOf(figures);
  for (const line of ['', ...resultTable(figures), '']) write(line);
  write(`${on.processors} × ${on.processor}, ${on.memoryGigabytes} GB, Linux ${on.kernel}, Node.js ${on.node}`);
  write(`${rounds} rounds of ${seconds} s for each row, load before ${on.loadBefore.toFixed(2)}`);
  for (const line of ['', '| bar | verdict |', '|---|---|', ...verdicts.map(({ line }) => line)]) write(line);
  if (json !== undefined) {
    const settings = { rounds, seconds };
    const rows = figures.map((figure) => ({ ...figure, ...summary(figure) }));
    await writeFile(json, `${JSON.stringify({ started, machine: on, settings, rows, verdicts }, undefined, 2)}\n`);
  }
  return check && verdicts.some(({ passed }) => !passed) ? 1 : 0;
}

async function withPair<T>(work: (pair: Interconnected) => Promise<T>): Promise<T> {
  const folder = await demoFolder();
  try {
    const pair = await interconnected(folder.path);
    try {
      return await work(pair);
    } finally {
      await pair.close();
    }
  } finally {
    await folder.remove();
  }
}

async function measure(
  pair: Interconnected,
  rounds: number,
  seconds: number,
  write: (line: string) => void,
): Promise<readonly Figures[]> {
  write('warming up');
  await writeTimes(pair, { most: warmUp, seconds: 60 });
  await requestTimes(pair, { most: warmUp, seconds: 60 });
  const times = { flowA: [] as number[], flowB: [] as number[] };
  const rates: number[] = [];
  const processor = { flowA: 0, flowB: 0, provisions: 0 };
  let provisions = 0;
  for (let round = 0; round < rounds; round += 1) {
    const bound = { most: Number.POSITIVE_INFINITY, seconds };
    const before = await pair.processorSeconds();
    times.flowA.push(...(await writeTimes(pair, bound)));
    const afterWrites = await pair.processorSeconds();
    times.flowB.push(...(await requestTimes(pair, bound)));
    const afterRequests = await pair.processorSeconds();
    const { provided, rate } = await provisionRate(pair, seconds);
    rates.push(rate);
    provisions += provided;
    processor.flowA += afterWrites - before;
    processor.flowB += afterRequests - afterWrites;
    processor.provisions += (await pair.processorSeconds()) - afterRequests;
    write(`round ${round + 1} of ${rounds}: ${times.flowA.length} writes, ${times.flowB.length} requests so far`);
  }
  return [
    {
      row: 'write at the primary → NOTIFY at the MC service server of the partner, one at a time',
      milliseconds: times.flowA,
      processorSeconds: processor.flowA,
      count: times.flowA.length,
      bar: { p50: 15, p99: 60 },
    },
    {
      row: 'MC service server asks for a group that is not stored → 200 (a request to the primary), one at a time',
      milliseconds: times.flowB,
      processorSeconds: processor.flowB,
      count: times.flowB.length,
    },
    {
      row: 'provisions of different groups, 16 writers, until the last NOTIFY',
      rates,
      processorSeconds: processor.provisions,
      count: provisions,
    },
  ];
}
