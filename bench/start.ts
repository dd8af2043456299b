// `npm run bench -- start`: from the start of `mcgw serve` until it is ready, with 100,000 groups in its store, half of them of a partner,
// and the memory it then has. Bars: under 3 s, under 400 MB.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { writeLabCertificates } from '../src/config/lab-certificates.ts';
import { example } from '../src/demo/example-groups.ts';
import { groupsAuid } from '../src/documents/application-usage.ts';
import { entityTag } from '../src/documents/entity-tag.ts';
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts';
import type { Commit } from '../src/store/store.ts';
import type { BenchOptions } from './support/bench.ts';
import { machine } from './support/machine.ts';
import { treeSeconds } from './support/process-time.ts';
import { type Site, withSite } from './support/site.ts';
import { spread } from './support/statistics.ts';

const groups = 100_000;
const bars = { seconds: 3, megabytes: 400 };
/** Groups written in one commit while the store is filled. */
const atOnce = 1000;
const program = fileURLToPath(new URL('../bin/mcgw.js', import.meta.url));

interface Sample {
  readonly seconds: number;
  /** User and system time until then, all threads. */
  readonly processorSeconds: number;
  /** Resident, and at most since the start. */
  readonly megabytes: number;
  readonly most: number;
}

/** Measures and prints. Resolves to 1 with `--check` when a bar was missed. */
export async function run({ rounds, json, check, write }: BenchOptions): Promise<number> {
  const on = machine();
  const samples: Sample[] = [];
  await withSite('start', async (site) => {
    write(`storing ${groups.toLocaleString('en')} groups`);
    await fill(site.folder, groups);
    // The first start prepares what later ones find
    await measure(site);
    for (let round = 0; round < rounds; round += 1) {
      const sample = await measure(site);
      samples.push(sample);
      write(
        `${sample.seconds.toFixed(2)} s, ${sample.processorSeconds.toFixed(2)} s of processor time, ${sample.megabytes.toFixed(0)} MB, at most ${sample.most.toFixed(0)} MB`,
      );
    }
  });
  const seconds = spread(samples.map((sample) => sample.seconds))?.median ?? Number.POSITIVE_INFINITY;
  const megabytes = spread(samples.map(({ most }) => most))?.median ?? Number.POSITIVE_INFINITY;
  const passed = seconds < bars.seconds && megabytes < bars.megabytes;
  write('');
  write('| what | figure | bar | verdict |');
  write('|---|---|---|---|');
  const row = (what: string, figure: string, bar: string, good: boolean): void =>
    write(`| ${what} | ${figure} | ${bar} | ${good ? 'PASS' : 'MISSED'} |`);
  const stored = `${groups.toLocaleString('en')} groups stored`;
  row(`start to ready, ${stored}`, `${seconds.toFixed(2)} s`, `under ${bars.seconds} s`, seconds < bars.seconds);
  row(
    `most resident memory until then, ${stored}`,
    `${megabytes.toFixed(0)} MB`,
    `under ${bars.megabytes} MB`,
    megabytes < bars.megabytes,
  );
  write(
    `\n${on.processors} × ${on.processor}, Node.js ${on.node}, median of ${rounds}, load before ${on.loadBefore.toFixed(2)}`,
  );
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ machine: on, samples }, undefined, 2)}\n`);
  return check && !passed ? 1 : 0;
}

async function fill(folder: string, groups: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeLabCertificates({ folder, force: false, days: 2, now: Date.now() });
  await writeFile(join(folder, 'gateway.yaml'), stringify(configuration));
  const { document, groupId: exampleId } = await example('harbour-tg1.xml', 'sip:harbour-tg1@red.example');
  const store = await openSqliteStore(join(folder, 'red.db'));
  try {
    for (let first = 0; first < groups; first += atOnce) {
      const numbers = Array.from({ length: atOnce }, (_, nth) => first + nth);
      const outcome = await store.commit(merged(numbers.map((number) => stored(number, document, exampleId))));
      if (outcome.outcome !== 'committed') throw new Error(`the store answers ${outcome.outcome}`);
    }
  } finally {
    await store.close();
  }
}

/** One group: of our own, or of the partner with its source. */
function stored(number: number, document: string, exampleId: string): Commit {
  const isOwn = number % 2 === 0;
  const groupId = `sip:tg-${number}@${isOwn ? 'red' : 'blue'}.example`;
  const bytes = Buffer.from(document.replaceAll(exampleId, groupId));
  const tag = entityTag(bytes);
  const key = isOwn
    ? ({ auid: groupsAuid, tree: 'users', xui: 'sip:groups@red.example', name: `tg-${number}.xml` } as const)
    : ({ auid: groupsAuid, tree: 'global', xui: '', name: `byGroupID/${groupId}` } as const);
  const source = {
    groupId,
    partner: 'blue',
    bytes,
    tag,
    policy: 'none',
    policyVersion: 0,
    appliedRules: [],
    received: new Date().toISOString(),
  };
  return {
    documents: [{ write: 'put', document: { key, tag, bytes, groupId } }],
    ...(isOwn ? {} : { sources: [{ write: 'put', source }] }),
  };
}

function merged(commits: readonly Commit[]): Commit {
  return {
    documents: commits.flatMap(({ documents = [] }) => documents),
    sources: commits.flatMap(({ sources = [] }) => sources),
  };
}

async function measure(site: Site): Promise<Sample> {
  const begun = performance.now();
  const args = [program, 'serve', '--config', join(site.folder, 'gateway.yaml')];
  const gateway = site.start({ program: process.execPath, args });
  try {
    await gateway.line(/^ready /);
    const seconds = (performance.now() - begun) / 1000;
    const status = await readFile(`/proc/${gateway.pid}/status`, 'utf8');
    const megabytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
    const processorSeconds = await treeSeconds([gateway.pid]);
    return { seconds, processorSeconds, megabytes: megabytes('VmRSS'), most: megabytes('VmHWM') };
  } finally {
    await gateway.stop();
  }
}

const configuration = {
  system: {
    name: 'red',
    domains: ['red.example'],
    gms: 'sip:gms@red.example',
    groupCreationXui: 'sip:groups@red.example',
    servers: ['sip:mcptt@red.example'],
  },
  xcap: { listen: { port: 0 }, root: 'http://127.0.0.1:0/xcap-root' },
  interconnect: {
    listen: { port: 0, tls: { cert: 'red.crt', key: 'red.key', clientCa: 'ca.crt' } },
    root: 'https://127.0.0.1:0/xcap-root',
  },
  sip: { listen: ['udp:127.0.0.1:0'] },
  identity: { trustedProxies: ['127.0.0.1'] },
  storage: { sqlite: 'red.db' },
  manage: { listen: { port: 0 }, token: 'bench-operator-token' },
  partners: [
    {
      name: 'blue',
      domains: ['blue.example'],
      gms: 'sip:gms@blue.example',
      // Nobody is there
      xcapRoots: ['https://127.0.0.1:1/xcap-root'],
      certificates: [{ san: 'gms.blue.example' }],
      sip: ['sip:gms@127.0.0.1:1'],
      agreement: {
        theyRequest: [{ groups: 'sip:*@red.example' }],
        theyProvide: [{ groups: 'sip:*@blue.example' }],
        weRequest: [{ groups: 'sip:*@blue.example' }],
      },
    },
  ],
  logging: { level: 'warn' },
};
