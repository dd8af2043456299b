// Measures candidates: first whether one does what is asked at all, then rounds in turns.
import { availableParallelism } from 'node:os';
import { exchange } from '../support/exchange.ts';
import { machineSeconds, ownSeconds, treeSeconds } from '../support/process-time.ts';
import type { Site } from '../support/site.ts';
import { bodyText, type LoadRequest, putLoad } from '../support/wrk.ts';
import type { Candidate } from './candidate.ts';
import type { Workload } from './workloads.ts';

export interface Sample {
  /** Requests per second. */
  readonly rate: number;
  /** Processor time of the server's processes, microseconds for each request. */
  readonly processorTime: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Share of the machine's processors, 0 to 1, that neither the server nor the measurement used: somebody else was there. */
  readonly others: number;
  /** Longest block of the event loop, milliseconds. */
  readonly longestBlock?: number;
}

export type Served = { readonly served: true } | { readonly served: false; readonly reason: string };

export interface Instruments {
  readonly site: Site;
  readonly wrk: string;
}

const probeCounter = 77_777_777;
// counters of separate runs do not meet, so every PUT changes its document
const countersPerRun = 1_000_000;
let runs = 0;

/**
 * Sends one request of the workload and looks at what came of it. A node selector that the server does not know of is `served: false`;
 * throws on any other answer than the one wanted.
 */
export async function probe(candidate: Candidate, workload: Workload): Promise<Served> {
  const [request] = await requestsFor(candidate, workload);
  if (request === undefined) throw new Error(`${workload.id} has no request`);
  const answer = await send(candidate, request, probeCounter);
  if (workload.element && [404, 405, 501].includes(answer.status)) {
    return { served: false, reason: `${answer.status} ${answer.body.trim()}` };
  }
  if (!workload.expected.includes(answer.status)) {
    throw new Error(`answered ${answer.status} ${answer.body.slice(0, 300).trim()}`);
  }
  await verify(candidate, workload, request, answer.body);
  return { served: true };
}

// RFC 4825 7.2, 7.3 and 7.6: what was read is what was stored, what was put is there
async function verify(candidate: Candidate, workload: Workload, request: LoadRequest, body: string): Promise<void> {
  const [stored] = workload.documents;
  if (stored === undefined || workload.expected.includes(304)) return;
  if (request.body !== undefined) {
    const path = candidate.documentPath(stored.name);
    const now = await send(candidate, { method: 'GET', path, headers: candidate.headers }, 0);
    if (!now.body.includes(String(probeCounter))) throw new Error('took the PUT but did not store it');
  } else if (workload.element ? !(body.startsWith('<entry ') && stored.text.includes(body)) : body !== stored.text) {
    throw new Error(`answered another body than the stored one: ${body.slice(0, 200)}`);
  }
}

/** One run under load. Throws when one of the answers was an error. */
export async function measure(
  { site, wrk }: Instruments,
  candidate: Candidate,
  workload: Workload,
  seconds: number,
): Promise<Sample> {
  const requests = await requestsFor(candidate, workload);
  const loop = workload.watchLoop ? candidate.loop : undefined;
  const load = { port: candidate.port, requests, connections: workload.connections };
  runs += 1;
  loop?.start();
  const before = await clocks(candidate);
  const measured = await putLoad(site, wrk, load, seconds, (runs * countersPerRun) % 90_000_000);
  const after = await clocks(candidate);
  const used = after.server - before.server;
  const elsewhere = after.machine - before.machine - used - (after.own - before.own);
  const longestBlock = await loop?.stop();
  const { status, socket } = measured.errors;
  if (status + socket > 0 || measured.requests === 0) {
    throw new Error(
      `${measured.requests} answers, ${status} of them refusals, ${socket} broken connections or timeouts`,
    );
  }
  return {
    rate: measured.requests / measured.seconds,
    processorTime: (used * 1e6) / measured.requests,
    p50: measured.latency.p50,
    p99: measured.latency.p99,
    others: Math.max(0, elsewhere / ((after.wall - before.wall) * availableParallelism())),
    ...(longestBlock === undefined ? {} : { longestBlock }),
  };
}

interface Clocks {
  readonly server: number;
  readonly own: number;
  readonly machine: number;
  readonly wall: number;
}

async function clocks(candidate: Candidate): Promise<Clocks> {
  const [server, own, machine] = await Promise.all([treeSeconds(candidate.processes), ownSeconds(), machineSeconds()]);
  return { server, own, machine, wall: performance.now() / 1000 };
}

async function requestsFor(candidate: Candidate, workload: Workload): Promise<readonly LoadRequest[]> {
  const [first] = workload.documents;
  if (first === undefined || !workload.expected.includes(304)) return workload.requests(candidate, '');
  const path = candidate.documentPath(first.name);
  const { etag } = await send(candidate, { method: 'GET', path, headers: candidate.headers }, 0);
  if (etag === undefined) throw new Error('answers GET without ETag');
  return workload.requests(candidate, etag);
}

function send(candidate: Candidate, { method, path, headers, body }: LoadRequest, counter: number) {
  const text = body === undefined ? {} : { body: bodyText(body, counter) };
  return exchange({ port: candidate.port, method, path, headers, ...text });
}
