// The single measurements of the SIP rows: what is offered, what is read off, and what makes a run a failure.
import { availableParallelism } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { machineSeconds, ownSeconds, treeSeconds } from '../support/process-time.ts';
import type { Site } from '../support/site.ts';
import type { SipServer } from './candidate.ts';
import type { SipGateway } from './gateway.ts';
import { type LoadCounts, type RunningLoad, runLoad, startLoad } from './load.ts';
import { residentBytes } from './memory.ts';
import { fanOutScenario, overloadScenario, subscribeScenario } from './scenarios.ts';

/** Subscriptions for each second while a crowd gathers. */
const crowdRate = 800;

export interface Instruments {
  readonly site: Site;
  readonly sipp: string;
}

/** One round of (a) or (b). */
export interface RateSample {
  /** Complete exchanges for each second. */
  readonly rate: number;
  /** Processor time of the server's processes, microseconds for each exchange. */
  readonly processorTime: number;
  readonly failed: number;
  readonly retransmissions: number;
  /** Share of the machine's processors that neither the server nor the measurement used. */
  readonly others: number;
}

/** Puts a scenario on a warm server. */
export async function measureRate(
  { site, sipp }: Instruments,
  server: SipServer,
  scenario: string,
  rate: number,
  seconds: number,
): Promise<RateSample> {
  const { target, keys } = server;
  const before = await clocks(server);
  const counts = await runLoad(site, sipp, { scenario, target, keys, rate, calls: Math.round(rate * seconds) });
  const after = await clocks(server);
  const used = after.server - before.server;
  const elsewhere = after.machine - before.machine - used - (after.own - before.own);
  return {
    rate: counts.succeeded / counts.elapsed,
    processorTime: (used * 1e6) / counts.succeeded,
    failed: counts.failed,
    retransmissions: counts.retransmissions,
    others: Math.max(0, elsewhere / ((after.wall - before.wall) * availableParallelism())),
  };
}

/** Subscriptions before the clock runs, so that nothing is measured cold. */
export async function warmUp({ site, sipp }: Instruments, server: SipServer): Promise<void> {
  const { target, keys, kind } = server;
  await runLoad(site, sipp, { scenario: subscribeScenario(kind), target, keys, rate: 500, calls: 1_000 });
}

/** One change told to many. */
export interface FanOut {
  /** Milliseconds from the change to the last NOTIFY, and to the one in the middle. */
  readonly last: number;
  readonly middle: number;
}

export interface Crowd {
  /** Resident bytes for each subscription above the idle server. */
  readonly bytes: number;
  readonly idleBytes: number;
  readonly fanOuts: readonly FanOut[];
}

/** (c) and (e): many subscriptions on an idle server; its memory a while after set-up, then changes one after the other. */
export async function measureCrowd(
  { site, sipp }: Instruments,
  server: SipGateway,
  size: number,
  settleSeconds: number,
  changes: number,
): Promise<Crowd> {
  const idleBytes = await residentBytes(server.processes);
  const { target, keys } = server;
  const scenario = fanOutScenario(server.kind, changes);
  const load = await startLoad(site, sipp, { scenario, target, keys, rate: crowdRate, calls: size });
  await logged(load, 'up', size);
  await pause(settleSeconds * 1000);
  const bytes = ((await residentBytes(server.processes)) - idleBytes) / size;
  const fanOuts: FanOut[] = [];
  for (let change = 1; change <= changes; change += 1) {
    const started = Date.now();
    await server.change(change);
    const times = (await logged(load, 'told', size * change)).slice(size * (change - 1));
    fanOuts.push({ last: Math.max(...times) - started, middle: (times[size >> 1] ?? Number.NaN) - started });
    // what follows the last NOTIFY is not part of the next change
    await pause(1_000);
  }
  const { failed } = await load.counts;
  if (failed > 0) throw new Error(`${failed} of ${size} subscribers missed a NOTIFY`);
  return { bytes, idleBytes, fanOuts };
}

/** When SIPp logged the word, milliseconds since 1970, in the order it did, once it has so many times. */
async function logged(load: RunningLoad, word: string, count: number): Promise<readonly number[]> {
  const limit = Date.now() + 120_000;
  for (;;) {
    const times = (await load.log()).flatMap((line) => {
      const parts = line.split('\t');
      return parts[0] === word ? [Number(parts.at(-1)) * 1000] : [];
    });
    if (times.length >= count) return times.slice(0, count);
    if (Date.now() > limit) throw new Error(`${times.length} of ${count} were ${word} after two minutes`);
    await pause(100);
  }
}

export interface Overload {
  /** Rate for each second that was taken without failure. */
  readonly sustainable: number;
  /** Offered then. */
  readonly offered: number;
  readonly calls: number;
  /** Served for each second while it was offered. */
  readonly goodput: number;
  /** Calls refused with 503 and Retry-After. */
  readonly shed: number;
  /** Calls that ended any other way. */
  readonly failed: number;
  readonly retransmissions: number;
}

/**
 * The highest rate that a fresh server takes: no refusal, no failure, hardly a retransmission. Steps of a seventh up, or down when the
 * first is too much already, each for a short while; what is found must then hold for as long as the overload will last.
 * @param start makes a fresh server
 */
export async function findSustainable(
  instruments: Instruments,
  start: () => Promise<SipServer>,
  first: number,
  { brief, long }: { readonly brief: number; readonly long: number },
  tell: (line: string) => void,
): Promise<number> {
  const sustained = async (rate: number, seconds: number): Promise<boolean> => {
    const server = await start();
    try {
      await warmUp(instruments, server);
      const counts = await offer(instruments, server, rate, seconds);
      const good = counts.failed + counts.shed === 0 && counts.retransmissions < counts.succeeded / 100;
      tell(`${rate}/s for ${seconds} s: ${good ? 'taken' : 'too much'}`);
      return good;
    } finally {
      await server.stop();
    }
  };
  // a machine that paused for a moment gets a second try
  const takes = async (rate: number, seconds: number): Promise<boolean> =>
    (await sustained(rate, seconds)) || (await sustained(rate, seconds));
  const step = 8 / 7;
  let rate = first;
  while (rate < first * 4 && (await takes(rate, brief))) rate = Math.round(rate * step);
  while (rate > first / 8) {
    rate = Math.round(rate / step);
    if (await takes(rate, long)) return rate;
  }
  throw new Error(`not even ${rate}/s is taken without failure`);
}

/** (d): twice the rate. */
export async function measureOverload(
  instruments: Instruments,
  server: SipServer,
  sustainable: number,
  seconds: number,
): Promise<Overload> {
  await warmUp(instruments, server);
  const offered = sustainable * 2;
  const counts = await offer(instruments, server, offered, seconds);
  const during = counts.course.findLast(({ at }) => at <= seconds && at > 0);
  return {
    sustainable,
    offered,
    calls: counts.succeeded + counts.failed,
    goodput: during === undefined ? 0 : during.served / during.at,
    shed: counts.shed,
    failed: counts.failed,
    retransmissions: counts.retransmissions,
  };
}

function offer({ site, sipp }: Instruments, server: SipServer, rate: number, seconds: number): Promise<LoadCounts> {
  const { target, keys, kind } = server;
  return runLoad(site, sipp, {
    scenario: overloadScenario(kind),
    target,
    keys,
    rate,
    calls: Math.round(rate * seconds),
  });
}

interface Clocks {
  readonly server: number;
  readonly own: number;
  readonly machine: number;
  readonly wall: number;
}

async function clocks({ processes }: SipServer): Promise<Clocks> {
  const [server, own, machine] = await Promise.all([treeSeconds(processes), ownSeconds(), machineSeconds()]);
  return { server, own, machine, wall: performance.now() / 1000 };
}
