// Whole gateways on free ports for tests: configuration and store in a folder of their own, removed on close.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { stringify } from 'yaml';
import { writeLabCertificates } from '../config/lab-certificates.ts';
import { problemLine } from '../config/load.ts';
import { startGateway } from '../gateway.ts';
import { type Prepared, prepare } from '../manage/prepare.ts';
import type { RunningGateway } from '../manage/running-gateway.ts';

export const token = 'operator-token';

const silent = pino({ level: 'silent' });

export interface TestGateway extends RunningGateway {
  readonly folder: string;
  /** Reads the configuration that `change` makes of the one that runs. */
  changed(change: (configuration: TestConfiguration) => TestConfiguration): Promise<Prepared>;
  /** Closes the gateway and starts another on the same store and configuration. */
  restart(): Promise<TestGateway>;
}

export type TestConfiguration = Readonly<Record<string, unknown>>;

/** Configuration of system red with partner blue, everything on free ports of loopback. */
export function redConfiguration(blueRoot = 'https://127.0.0.1:1/xcap-root'): TestConfiguration {
  return {
    system: {
      name: 'red',
      domains: ['red.example'],
      gms: 'sip:gms@red.example',
      groupCreationXui: 'sip:groups@red.example',
      servers: ['sip:mcptt@red.example'],
      administrators: ['sip:admin@red.example'],
    },
    ...faces('red'),
    partners: [
      {
        name: 'blue',
        domains: ['blue.example'],
        gms: 'sip:gms@blue.example',
        xcapRoots: [blueRoot],
        certificates: [{ san: 'gms.blue.example' }],
        agreement: { weProvide: [{ groups: 'sip:*@red.example' }], theyRequest: [{ groups: 'sip:*@red.example' }] },
      },
    ],
  };
}

/** Configuration of system blue with partner red. */
export function blueConfiguration(redRoot = 'https://127.0.0.1:1/xcap-root'): TestConfiguration {
  return {
    system: {
      name: 'blue',
      domains: ['blue.example'],
      gms: 'sip:gms@blue.example',
      groupCreationXui: 'sip:groups@blue.example',
      servers: ['sip:mcptt@blue.example'],
      administrators: ['sip:admin@blue.example'],
    },
    ...faces('blue'),
    partners: [
      {
        name: 'red',
        domains: ['red.example'],
        gms: 'sip:gms@red.example',
        xcapRoots: [redRoot],
        certificates: [{ san: 'gms.red.example' }],
        agreement: { theyProvide: [{ groups: 'sip:*@red.example' }], weRequest: [{ groups: 'sip:*@red.example' }] },
      },
    ],
  };
}

function faces(name: string): TestConfiguration {
  return {
    xcap: { listen: { port: 0 }, root: 'http://127.0.0.1:0/xcap-root' },
    interconnect: {
      listen: { port: 0, tls: { cert: `${name}.crt`, key: `${name}.key`, clientCa: 'ca.crt' } },
      root: 'https://127.0.0.1:0/xcap-root',
      retry: { first: 0.05, ceiling: 0.2 },
    },
    sip: { listen: ['udp:127.0.0.1:0'] },
    identity: { trustedProxies: ['127.0.0.1'] },
    storage: { sqlite: 'groups.db' },
    manage: { listen: { port: 0 }, token },
    logging: { level: 'silent' },
  };
}

let certificates: Promise<ReadonlyMap<string, string>> | undefined;

/** PEM texts of the lab CA that all gateways of one test file share, by file name. */
export function labFiles(): Promise<ReadonlyMap<string, string>> {
  certificates ??= labCertificates();
  return certificates;
}

/** Starts a gateway on the configuration. All gateways of one test file share a lab CA. */
export async function runGateway(configuration: TestConfiguration, log: Logger = silent): Promise<TestGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'mcgw-gateway-'));
  for (const [name, pem] of await labFiles()) await writeFile(join(folder, name), pem, { mode: 0o600 });
  return runIn(folder, configuration, log);
}

async function runIn(folder: string, configuration: TestConfiguration, log: Logger): Promise<TestGateway> {
  const running = await startGateway(await preparedIn(folder, configuration), log);
  return {
    ...running,
    folder,
    changed: (change) => preparedIn(folder, change(configuration)),
    async restart() {
      await running.close();
      return runIn(folder, configuration, log);
    },
    async close() {
      await running.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function preparedIn(folder: string, configuration: TestConfiguration): Promise<Prepared> {
  const file = join(folder, 'gateway.yaml');
  await writeFile(file, stringify(configuration));
  const { prepared, problems } = await prepare(file, Date.now());
  if (prepared === undefined) throw new Error(problems.map(problemLine).join('\n'));
  return prepared;
}

async function labCertificates(): Promise<ReadonlyMap<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'mcgw-lab-'));
  const files = await writeLabCertificates({ folder, force: false, days: 60, now: Date.now() });
  const texts = await Promise.all(
    files.map(async (file) => [file.slice(folder.length + 1), await readFile(file, 'utf8')] as const),
  );
  await rm(folder, { recursive: true });
  return new Map(texts);
}
