// A gateway and its SIP engine as two processes, as `mcgw serve` and `mcgw engine` run them from one configuration.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { request } from 'undici';
import { stringify } from 'yaml';
import { writeLabCertificates } from '../config/lab-certificates.ts';
import { portChooser } from '../demo/free-ports.ts';
import { changesOf, Subscriber } from '../sip/face.testkit.ts';
import { token } from './gateway.testkit.ts';

const program = fileURLToPath(new URL('../../bin/mcgw.js', import.meta.url));
const groupId = 'sip:harbour-tg1@red.example';
const sel = `org.openmobilealliance.groups/global/byGroupID/${groupId}`;
const children: ChildProcess[] = [];
let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcgw-engine-'));
  file = join(folder, 'gateway.yaml');
});

afterEach(async () => {
  for (const child of children.splice(0).reverse()) await stop(child);
  await rm(folder, { recursive: true, force: true });
});

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

interface Run {
  readonly child: ChildProcess;
  /** The faces of its line. */
  readonly ready: Readonly<Record<string, string>>;
}

async function run(command: 'serve' | 'engine'): Promise<Run> {
  const child = spawn(process.execPath, [program, command, '--config', file], { stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [word, ...faces] = line.split(' ');
  expect(word).toBe('ready');
  return { child, ready: Object.fromEntries(faces.map((face) => face.split(/=(.*)/))) };
}

async function putGroup(manage: string): Promise<void> {
  const { statusCode, body } = await request(`${manage}/api/v1/groups/${encodeURIComponent(groupId)}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}` },
    body: await readFile(new URL('../../config/groups/harbour-tg1.xml', import.meta.url)),
  });
  await body.dump();
  expect(statusCode).toBeLessThan(300);
}

test('an engine in a process of its own serves the gateway, keeps subscriptions while it restarts, and ends when stopped', async () => {
  const choose = portChooser();
  const [sip, control] = [await choose(), await choose()];
  const configuration = {
    system: {
      name: 'red',
      domains: ['red.example'],
      gms: 'sip:gms@red.example',
      groupCreationXui: 'sip:groups@red.example',
      servers: ['sip:mcptt@red.example'],
    },
    xcap: { listen: { port: 0 }, root: 'http://127.0.0.1:0/xcap-root' },
    sip: {
      listen: [`udp:127.0.0.1:${sip}`],
      engine: { drachtio: { host: '127.0.0.1', port: control, secret: 'test-control-secret' } },
    },
    identity: { trustedProxies: ['127.0.0.1'] },
    storage: { sqlite: 'red.db' },
    manage: { listen: { port: 0 }, token },
  };
  await writeFile(file, stringify(configuration));
  const engine = await run('engine');
  expect(engine.ready).toEqual({ control: `127.0.0.1:${control}`, sip: `sip:127.0.0.1:${sip}` });
  const gateway = await run('serve');
  await putGroup(gateway.ready.manage ?? '');

  const subscriber = await Subscriber.open(sip);
  expect((await subscriber.subscribe([sel])).status).toBe(200);
  const first = await subscriber.notify();
  expect(changesOf(first)).toEqual([expect.stringContaining(sel)]);

  expect(await stop(gateway.child)).toBe(0);
  await run('serve');
  const again = await subscriber.notify();
  expect(again.cseq).toBeGreaterThan(first.cseq);
  expect(changesOf(again)).toEqual(changesOf(first));
  expect((await subscriber.subscribe(undefined, { Expires: '0' })).status).toBe(200);
  expect((await subscriber.notify()).header('Subscription-State')).toBe('terminated;reason=timeout');
  subscriber.close();
  expect(await stop(engine.child)).toBe(0);
}, 30_000);

test('an engine in a process of its own offers its control port over TLS to other applications', async () => {
  const choose = portChooser();
  const [sip, control, secure] = [await choose(), await choose(), await choose()];
  await writeLabCertificates({ folder, force: true, days: 2, now: Date.now() });
  const tls = { port: secure, cert: 'red.crt', key: 'red.key', clientCa: 'ca.crt' };
  const configuration = {
    system: { name: 'red', domains: ['red.example'], gms: 'sip:gms@red.example' },
    xcap: { listen: { port: 8080 }, root: 'http://127.0.0.1:8080/xcap-root' },
    sip: {
      listen: [`udp:127.0.0.1:${sip}`],
      engine: { drachtio: { host: '127.0.0.1', port: control, secret: 'test-control-secret', tls } },
    },
    storage: { sqlite: 'red.db' },
  };
  await writeFile(file, stringify(configuration));
  await run('engine');
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'red.crt', 'red.key'].map((name) => readFile(join(folder, name))),
  );
  const socket = connect({ host: '127.0.0.1', port: secure, ca, cert, key });
  const login = 'a|authenticate|test-control-secret|';
  socket.write(`${login.length}#${login}`);
  const [reply] = (await once(socket, 'data')) as [Buffer];
  expect(String(reply)).toContain(`|response|a|OK|udp/127.0.0.1:${sip}|`);
  socket.destroy();
}, 30_000);

test('a configuration with the embedded engine has no control address: exit code 2', async () => {
  const configuration = {
    system: { name: 'red', domains: ['red.example'], gms: 'sip:gms@red.example' },
    xcap: { listen: { port: 8080 }, root: 'http://127.0.0.1:8080/xcap-root' },
    sip: { listen: ['udp:127.0.0.1:5060'] },
    storage: { sqlite: 'red.db' },
  };
  await writeFile(file, stringify(configuration));
  const child = spawn(process.execPath, [program, 'engine', '--config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  children.push(child);
  const complaint = (child.stderr.setEncoding('utf8').toArray() as Promise<string[]>).then((parts) => parts.join(''));
  const [code] = (await once(child, 'exit')) as [number | null];
  expect([code, await complaint]).toEqual([2, expect.stringContaining('sip.engine: must be { drachtio:')]);
}, 30_000);
