// The two systems of the demo: a folder with certificates, policies and configurations, and one child `mcgw serve` for each.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { portChooser } from './free-ports.ts';

export interface SystemPorts {
  readonly xcap: number;
  readonly interconnect: number;
  readonly sip: number;
  readonly manage: number;
  /** Where the other system finds this one: the port of the wire tap in front of `interconnect`. */
  readonly tap: number;
}

export interface RunningSystem {
  readonly name: string;
  readonly ports: SystemPorts;
  readonly xcapRoot: string;
  readonly manageUrl: string;
  readonly manageToken: string;
  /** Ends it gracefully. */
  stop(): Promise<void>;
  /** Ends it at once with SIGKILL. */
  kill(): Promise<void>;
  readonly pid: number;
  /** Lines that it logged so far. */
  readonly log: readonly string[];
}

/** A configuration as it goes into the file, by section. */
export interface SystemConfiguration {
  readonly [section: string]: object;
  /** The other system. */
  readonly partners: readonly Readonly<Record<string, unknown>>[];
}

/** Settings that a play may change; everything else is fixed. */
export interface SystemSettings {
  /** Merged into the `interconnect` section. */
  readonly interconnect?: object;
  /** Makes the configuration that is written of the one that the demo runs on. */
  readonly change?: (configuration: SystemConfiguration) => SystemConfiguration;
}

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Ports tried first; each is replaced by a free one when it is taken. */
const preferredPorts = {
  red: { xcap: 18080, interconnect: 18081, sip: 15060, manage: 18090, tap: 18082 },
  blue: { xcap: 28080, interconnect: 28081, sip: 25060, manage: 28090, tap: 28082 },
} as const;

export type SystemName = keyof typeof preferredPorts;

const program = fileURLToPath(new URL('../../bin/mcgw.js', import.meta.url));
const manageToken = 'demo-operator-token';

/** A new empty folder for one run of the demo, and how to remove it. */
export async function demoFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'mcgw-demo-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Creates the lab CA and certificates with the same command an operator would use. */
export async function createCertificates(folder: string): Promise<void> {
  const child = spawn(process.execPath, [program, 'certificates', '--dir', join(folder, 'certificates')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [errors, [code]] = await Promise.all([readAll(child), once(child, 'exit')]);
  if (code !== 0) throw new Error(`mcgw certificates ended with ${String(code)}: ${errors}`);
}

/** Certificate chain and key of a system, PEM. */
export async function keyPair(folder: string, name: SystemName): Promise<KeyPair> {
  const [cert, key] = await Promise.all([
    readFile(join(folder, 'certificates', `${name}.crt`), 'utf8'),
    readFile(join(folder, 'certificates', `${name}.key`), 'utf8'),
  ]);
  return { cert, key };
}

/** Certificate of the lab CA, PEM. */
export function labCa(folder: string): Promise<string> {
  return readFile(join(folder, 'certificates', 'ca.crt'), 'utf8');
}

/** Ports for both systems, no two alike: `preferred` ones where they are free, or any. */
export async function choosePorts(choice: 'preferred' | 'any'): Promise<Record<SystemName, SystemPorts>> {
  const choose = portChooser();
  const portsOf = async (name: SystemName): Promise<SystemPorts> => {
    const port = (face: keyof SystemPorts): Promise<number> =>
      choose(choice === 'preferred' ? preferredPorts[name][face] : undefined);
    return {
      xcap: await port('xcap'),
      interconnect: await port('interconnect'),
      sip: await port('sip'),
      manage: await port('manage'),
      tap: await port('tap'),
    };
  };
  return { red: await portsOf('red'), blue: await portsOf('blue') };
}

/** Writes the configuration and policies of one system into the folder and starts `mcgw serve` on them. */
export async function startSystem(
  folder: string,
  name: SystemName,
  ports: Readonly<Record<SystemName, SystemPorts>>,
  settings: SystemSettings = {},
): Promise<RunningSystem> {
  const home = join(folder, name);
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'policy.yaml'), stringify(name === 'blue' ? policyFromRed : policyToBlue));
  const file = join(home, 'gateway.yaml');
  const { change = (unchanged: SystemConfiguration): SystemConfiguration => unchanged } = settings;
  await writeFile(file, stringify(change(configuration(name, ports, settings))));
  const child = spawn(process.execPath, [program, 'serve', '--config', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const log: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  try {
    await ready(child, name, log);
  } catch (error) {
    await end(child, 'SIGTERM');
    throw error;
  }
  return {
    name,
    ports: ports[name],
    xcapRoot: `http://127.0.0.1:${ports[name].xcap}/xcap-root`,
    manageUrl: `http://127.0.0.1:${ports[name].manage}`,
    manageToken,
    stop: () => end(child, 'SIGTERM'),
    kill: () => end(child, 'SIGKILL'),
    pid: child.pid ?? 0,
    log,
  };
}

function configuration(
  name: SystemName,
  ports: Readonly<Record<SystemName, SystemPorts>>,
  settings: SystemSettings,
): SystemConfiguration {
  const other = name === 'red' ? 'blue' : 'red';
  const own = ports[name];
  const certificates = '../certificates';
  return {
    system: {
      name,
      domains: [`${name}.example`],
      gms: `sip:gms@${name}.example`,
      groupCreationXui: `sip:groups@${name}.example`,
      servers: [`sip:mcptt@${name}.example`],
      administrators: [`sip:admin@${name}.example`],
    },
    xcap: { listen: { port: own.xcap }, root: `http://127.0.0.1:${own.xcap}/xcap-root` },
    interconnect: {
      listen: {
        port: own.interconnect,
        tls: {
          cert: `${certificates}/${name}.crt`,
          key: `${certificates}/${name}.key`,
          clientCa: `${certificates}/ca.crt`,
        },
      },
      root: `https://127.0.0.1:${own.tap}/xcap-root`,
      ...settings.interconnect,
    },
    sip: { listen: [`udp:127.0.0.1:${own.sip}`, `tcp:127.0.0.1:${own.sip}`] },
    identity: { trustedProxies: ['127.0.0.1/32'] },
    storage: { sqlite: 'groups.db' },
    partners: [
      {
        name: other,
        domains: [`${other}.example`],
        gms: `sip:gms@${other}.example`,
        xcapRoots: [`https://127.0.0.1:${ports[other].tap}/xcap-root`],
        certificates: [{ san: `gms.${other}.example` }],
        agreement: name === 'red' ? agreementOfRed : agreementOfBlue,
        ...(name === 'red' ? { outboundPolicy: 'policy.yaml' } : { inboundPolicy: 'policy.yaml' }),
      },
    ],
    manage: { listen: { port: own.manage }, token: manageToken },
  };
}

const agreementOfRed = {
  state: 'active',
  weProvide: [{ groups: 'sip:harbour-*@red.example' }, { groups: 'sip:joint-*@red.example' }],
  theyRequest: [{ groups: 'sip:border-*@red.example' }],
};

const agreementOfBlue = {
  state: 'active',
  theyProvide: [{ groups: 'sip:*@red.example' }],
  weRequest: [{ groups: 'sip:*@red.example' }],
};

const policyFromRed = {
  policy: 'from-red',
  version: 1,
  rules: [
    { name: 'our ceiling', clamp: { priority: ['mcptt', 'mcvideo', 'mcdata'], max: 100 } },
    { name: 'no video here', services: { drop: ['mcvideo'] } },
    { name: 'must have owner', require: { select: '//mcpttgi:owner', otherwise: 'group without owner' } },
  ],
};

const policyToBlue = {
  policy: 'to-blue',
  version: 1,
  rules: [
    {
      name: 'no off-network',
      remove: { select: "/g:group/g:list-service/mcpttgi:*[starts-with(local-name(),'off-network-')]" },
    },
  ],
};

async function ready(child: ChildProcess, name: string, log: readonly string[]): Promise<void> {
  const output = child.stdout;
  if (output === null) throw new Error(`${name} has no standard output`);
  const lines = createInterface({ input: output });
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line.startsWith('ready ')) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      reject(
        new Error(
          `mcgw serve of ${name} ended with ${String(code)} before it was ready:\n${log.slice(-20).join('\n')}`,
        ),
      );
    });
  });
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  const hard = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(hard);
}

async function readAll(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of child.stderr ?? []) text += String(chunk);
  return text;
}
