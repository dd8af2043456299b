// `npm run bench -- xcap [--rows put,element-get]`: our XCAP face beside a bare node:http server, nginx and Kamailio's XCAP server, in one run and in turns.
import { writeFile } from 'node:fs/promises';
import type { BenchOptions } from './support/bench.ts';
import { machine } from './support/machine.ts';
import { findAll } from './support/programs.ts';
import { type Site, withSite } from './support/site.ts';
import { spread } from './support/statistics.ts';
import { wrkNeed } from './support/wrk.ts';
import { startBare } from './xcap/bare.ts';
import type { Candidate, CandidateName } from './xcap/candidate.ts';
import { startGateway } from './xcap/gateway.ts';
import { type KamailioVariant, kamailioXcapNeeds, startKamailio } from './xcap/kamailio.ts';
import { mariadbNeeds, startMariadb } from './xcap/mariadb.ts';
import { type Instruments, measure, probe, type Sample } from './xcap/measure.ts';
import { nginxNeeds, startNginx } from './xcap/nginx.ts';
import { othersLine, ratioTable, resultTable, verdictLines } from './xcap/report.ts';
import { type Cell, type Result, verdicts } from './xcap/results.ts';
import { chosenRows, connections, type Workload } from './xcap/workloads.ts';

const needs = [wrkNeed, ...nginxNeeds, ...mariadbNeeds, ...kamailioXcapNeeds] as const;
const workerCounts = [2, 4, 8] as const;
const longestWarmUp = 5;
const trialPasses = 3;
const trialSeconds = 1;

type Programs = Readonly<Record<(typeof needs)[number]['name'], string>>;

/** One workload on one candidate while it is being measured. */
interface Contest {
  readonly workload: Workload;
  readonly candidate: Candidate;
  /** TCP workers, of Kamailio. */
  readonly workers?: number;
  readonly samples: (Sample | undefined)[];
  cell: Cell;
}

/** Brings everything up, measures, prints. Throws when a reference is missing. */
export async function run(options: BenchOptions): Promise<number> {
  const rows = chosenRows(options.rows);
  const programs: Programs = findAll(needs);
  const started = new Date();
  const on = machine();
  const contests = await withSite('xcap', (site) => play(site, programs, rows, options));
  const results = contests.map(
    ({ workload, candidate, cell }): Result => ({
      workload: workload.id,
      title: workload.title,
      candidate: candidate.name,
      cell,
    }),
  );
  const judged = verdicts(results).filter(({ workload }) => rows.some(({ id }) => id === workload));
  const kamailioWorkers = Object.fromEntries(
    contests.flatMap(({ workload, workers }) => (workers === undefined ? [] : [[workload.id, workers]])),
  );
  const { write, rounds, seconds, json, check } = options;
  for (const line of ['', ...resultTable(results), '', ...ratioTable(results), '']) write(line);
  write(`Kamailio's TCP workers, the best of ${workerCounts.join(', ')}: ${JSON.stringify(kamailioWorkers)}`);
  write(`${on.processors} × ${on.processor}, ${on.memoryGigabytes} GB, Linux ${on.kernel}, Node.js ${on.node}`);
  write(`${rounds} rounds of ${seconds} s, ${connections} connections, load before ${on.loadBefore.toFixed(2)}`);
  write(othersLine(results));
  for (const line of ['', ...verdictLines(judged)]) write(line);
  if (json !== undefined) {
    const settings = { rounds, seconds, connections, kamailioWorkers };
    await writeFile(
      json,
      `${JSON.stringify({ started, machine: on, settings, results, verdicts: judged }, undefined, 2)}\n`,
    );
  }
  const failed = results.some(({ cell }) => cell.state === 'failed');
  const short = check && judged.some(({ outcome }) => outcome !== 'PASS');
  return failed || short ? 1 : 0;
}

async function play(
  site: Site,
  programs: Programs,
  rows: readonly Workload[],
  options: BenchOptions,
): Promise<readonly Contest[]> {
  const { write, rounds, seconds } = options;
  const instruments: Instruments = { site, wrk: programs.wrk };
  write('starting the references');
  const variants = await startKamailio(site, programs, await startMariadb(site, programs), workerCounts);
  const single = [await startBare(site), await startNginx(site, programs)];
  write('starting mcgw');
  single.unshift(await startGateway(site));
  write('storing the documents');
  await storeDocuments(rows, [...single, ...variants.slice(0, 1).map(({ candidate }) => candidate)]);

  const contests: Contest[] = [];
  for (const workload of rows) {
    for (const name of workload.candidates) {
      write(`warming up: ${workload.title}, ${name}`);
      const warmUp = Math.min(longestWarmUp, seconds);
      contests.push(await prepare(instruments, workload, name, single, variants, warmUp));
    }
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const workload of rows) {
      const turn = contests.filter((contest) => contest.workload === workload);
      // everybody comes first once in a while
      const order = turn.map((_, n) => turn[(n + round) % turn.length]).filter((contest) => contest !== undefined);
      for (const contest of order) await sample(instruments, contest, seconds);
      write(`round ${round + 1} of ${rounds}: ${workload.title}`);
    }
  }
  return contests;
}

async function storeDocuments(rows: readonly Workload[], candidates: readonly Candidate[]): Promise<void> {
  for (const candidate of candidates) {
    const stored = new Set<string>();
    for (const { documents, candidates: wanted } of rows) {
      if (!wanted.includes(candidate.name)) continue;
      for (const { name, text } of documents) {
        if (stored.has(name)) continue;
        stored.add(name);
        await candidate.store(name, text);
      }
    }
  }
}

async function prepare(
  instruments: Instruments,
  workload: Workload,
  name: CandidateName,
  single: readonly Candidate[],
  variants: readonly KamailioVariant[],
  warmUp: number,
): Promise<Contest> {
  const first = single.find((candidate) => candidate.name === name) ?? variants[0]?.candidate;
  if (first === undefined) throw new Error(`no ${name}`);
  const samples: (Sample | undefined)[] = [];
  try {
    const served = await probe(first, workload);
    if (!served.served)
      return { workload, candidate: first, samples, cell: { state: 'not served', reason: served.reason } };
    const cell: Cell = { state: 'measured', samples };
    if (name !== 'kamailio') {
      await measure(instruments, first, workload, warmUp);
      return { workload, candidate: first, samples, cell };
    }
    const { candidate, workers } = await bestVariant(instruments, workload, variants);
    return { workload, candidate, workers, samples, cell };
  } catch (error) {
    return { workload, candidate: first, samples, cell: failure(error) };
  }
}

// Its best number of workers differs between reading and writing, so each row gets its own. The passes also warm it up.
async function bestVariant(
  instruments: Instruments,
  workload: Workload,
  variants: readonly KamailioVariant[],
): Promise<KamailioVariant> {
  const trials = variants.map((variant) => ({ variant, rates: [] as number[] }));
  for (let pass = 0; pass < trialPasses; pass += 1) {
    for (const { variant, rates } of trials) {
      rates.push((await measure(instruments, variant.candidate, workload, trialSeconds)).rate);
    }
  }
  const median = ({ rates }: (typeof trials)[number]): number => spread(rates)?.median ?? 0;
  const [best] = trials.toSorted((a, b) => median(b) - median(a));
  if (best === undefined) throw new Error('no Kamailio');
  return best.variant;
}

async function sample(instruments: Instruments, contest: Contest, seconds: number): Promise<void> {
  if (contest.cell.state !== 'measured') return;
  try {
    contest.samples.push(await measure(instruments, contest.candidate, contest.workload, seconds));
  } catch (error) {
    contest.cell = failure(error);
  }
}

function failure(error: unknown): Cell {
  return { state: 'failed', reason: error instanceof Error ? error.message : String(error) };
}
