// `npm run bench -- sip`: our notifier beside Kamailio's presence server, in one run and in turns, with SIPp as the subscribers; then
// what only ours is held to: a crowd of subscribers, their memory, one change told to all, and twice the load that can be served.
import { writeFile } from 'node:fs/promises';
import type { SipServer } from './sip/candidate.ts';
import { type SipGateway, startGateway } from './sip/gateway.ts';
import { kamailioPresenceNeeds, startKamailio } from './sip/kamailio.ts';
import {
  findSustainable,
  type Instruments,
  measureCrowd,
  measureOverload,
  measureRate,
  type Overload,
  type RateSample,
  warmUp,
} from './sip/measure.ts';
import {
  crowdLines,
  overloadTable,
  rateTable,
  ratioLine,
  type SipResults,
  verdicts,
  verdictTable,
} from './sip/report.ts';
import { lifeCycleScenario, subscribeScenario } from './sip/scenarios.ts';
import type { BenchOptions } from './support/bench.ts';
import { createTables } from './support/kamailio.ts';
import { machine } from './support/machine.ts';
import { findAll } from './support/programs.ts';
import { type Site, withSite } from './support/site.ts';
import { spread } from './support/statistics.ts';
import { mariadbNeeds, startMariadb } from './xcap/mariadb.ts';

const needs = [{ name: 'sipp', debianPackage: 'sip-tester' }, ...mariadbNeeds, ...kamailioPresenceNeeds] as const;
const workerCounts = [2, 4, 8] as const;
const subscribeRate = 1_500;
const lifeCycleRate = 300;
const crowdSize = 10_000;
const settleSeconds = 70;
/** The bar says for how long the rate is to be sustained: three times the length of a round, 30 s unless told otherwise. */
const sustainedRounds = 3;
/** A life cycle is three exchanges: half a round shows as many. */
const lifeCycleRounds = 0.5;
const overloadRounds = 2;
/** Share of the machine that others may use before rates are doubtful. */
const quiet = 0.05;

type Programs = Readonly<Record<(typeof needs)[number]['name'], string>>;
type StartServer = () => Promise<SipServer>;

/** Brings everything up, measures, prints. Throws when something is missing. */
export async function run(options: BenchOptions): Promise<number> {
  const programs: Programs = findAll(needs);
  const started = new Date();
  const on = machine();
  const { results, workers } = await withSite('sip', (site) => play(site, programs, options));
  const { write, rounds, seconds, json, check } = options;
  const judged = verdicts(results);
  const { subscribe, lifeCycle, crowd, overloads } = results;
  for (const line of rateTable([subscribe, lifeCycle])) write(line);
  write('');
  for (const row of [subscribe, lifeCycle]) write(ratioLine(row));
  for (const line of ['', ...overloadTable(overloads), '', ...crowdLines(crowd, results.crowdSize), '']) write(line);
  const others = spread(
    [subscribe, lifeCycle].flatMap(({ mcgw, kamailio }) => [...mcgw, ...kamailio].map((s) => s.others)),
  );
  write(`Kamailio's UDP workers, the best of ${workerCounts.join(', ')}: ${workers}`);
  write(`${on.processors} × ${on.processor}, ${on.memoryGigabytes} GB, Linux ${on.kernel}, Node.js ${on.node}`);
  const lengths = `ours of the first row ${seconds * sustainedRounds} s, the second row ${seconds * lifeCycleRounds} s`;
  write(`${rounds} rounds of ${seconds} s (${lengths}), load before ${on.loadBefore.toFixed(2)}`);
  const advice = (others?.median ?? 0) > quiet ? ': rates are not to be relied on, look at processor time' : '';
  write(`others used ${percent(others?.median)} of the processors, ${percent(others?.most)} at most${advice}`);
  for (const line of ['', ...verdictTable(judged)]) write(line);
  if (json !== undefined) {
    const settings = { rounds, seconds, workers };
    await writeFile(
      json,
      `${JSON.stringify({ started, machine: on, settings, results, verdicts: judged }, undefined, 2)}\n`,
    );
  }
  return check && judged.some(({ met }) => !met) ? 1 : 0;
}

async function play(
  site: Site,
  programs: Programs,
  { rounds, seconds }: BenchOptions,
): Promise<{ readonly results: SipResults; readonly workers: number }> {
  const instruments: Instruments = { site, sipp: programs.sipp };
  tell('starting MariaDB');
  const database = await startMariadb(site, programs);
  await createTables(programs, database);
  const kamailio = (workers: number): StartServer => {
    return () => startKamailio(site, programs, database, workers);
  };
  const workers = await bestWorkers(instruments, kamailio);
  const starts: Readonly<Record<'mcgw' | 'kamailio', StartServer>> = {
    mcgw: () => startGateway(site),
    kamailio: kamailio(workers),
  };
  const row = (title: string, offered: number) => ({
    title,
    offered,
    mcgw: [] as RateSample[],
    kamailio: [] as RateSample[],
  });
  const subscribe = row(`SUBSCRIBE, 200, NOTIFY, 200, ${seconds * sustainedRounds} s`, subscribeRate);
  const lifeCycle = row('life cycle: SUBSCRIBE, refresh, end, three NOTIFYs', lifeCycleRate);
  for (let round = 0; round < rounds; round += 1) {
    const turn = round % 2 === 0 ? (['mcgw', 'kamailio'] as const) : (['kamailio', 'mcgw'] as const);
    for (const name of turn) {
      const long = name === 'mcgw' ? seconds * sustainedRounds : seconds;
      const one = await fresh(instruments, starts[name], (server) =>
        measureRate(instruments, server, subscribeScenario(server.kind), subscribeRate, long),
      );
      subscribe[name].push(one);
      const two = await fresh(instruments, starts[name], (server) =>
        measureRate(instruments, server, lifeCycleScenario(server.kind), lifeCycleRate, seconds * lifeCycleRounds),
      );
      lifeCycle[name].push(two);
      tell(`round ${round + 1} of ${rounds}, ${name}: ${told(one)}; life cycle ${told(two)}`);
    }
  }
  tell(`${crowdSize} subscribers; memory after ${settleSeconds} s`);
  const crowdServer: SipGateway = await startGateway(site);
  const crowd = await measureCrowd(instruments, crowdServer, crowdSize, settleSeconds, rounds);
  await crowdServer.stop();
  tell('looking for the sustainable rate');
  const sustainable = await findSustainable(
    instruments,
    starts.mcgw,
    subscribeRate,
    { brief: Math.min(seconds, 4), long: seconds },
    tell,
  );
  const overloads: Overload[] = [];
  for (let round = 0; round < Math.min(rounds, overloadRounds); round += 1) {
    tell(`overload: ${sustainable * 2}/s`);
    const server = await startGateway(site);
    overloads.push(await measureOverload(instruments, server, sustainable, seconds));
    await server.stop();
  }
  return { results: { subscribe, lifeCycle, crowd, crowdSize, settleSeconds, overloads }, workers };
}

// More workers serve more at once, fewer get in each other's way less: it gets what suits it best here.
async function bestWorkers(instruments: Instruments, start: (workers: number) => StartServer): Promise<number> {
  const trials: { readonly workers: number; readonly sample: RateSample }[] = [];
  for (const workers of workerCounts) {
    const sample = await fresh(instruments, start(workers), (server) =>
      measureRate(instruments, server, subscribeScenario(server.kind), subscribeRate, 3),
    );
    tell(`Kamailio with ${workers} workers: ${told(sample)}`);
    trials.push({ workers, sample });
  }
  const [best] = trials.toSorted(
    (a, b) => a.sample.retransmissions - b.sample.retransmissions || a.sample.processorTime - b.sample.processorTime,
  );
  return best?.workers ?? workerCounts[0];
}

/** A new server for each sample: subscriptions of the one before would still be held. */
async function fresh<T>(
  instruments: Instruments,
  start: StartServer,
  work: (server: SipServer) => Promise<T>,
): Promise<T> {
  const server = await start();
  try {
    await warmUp(instruments, server);
    return await work(server);
  } finally {
    await server.stop();
  }
}

function told({ rate, processorTime, failed, retransmissions }: RateSample): string {
  return `${rate.toFixed(0)}/s, ${processorTime.toFixed(0)} µs, ${failed} failed, ${retransmissions} retransmissions`;
}

function percent(share = 0): string {
  return `${Math.round(share * 100)} %`;
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
