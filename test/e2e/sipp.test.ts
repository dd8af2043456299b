// The SIPp scenarios of test/sipp against a running gateway: an independent SIP peer checks sel, tags, CSeq and states.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { harbour } from '../../src/demo/example-groups.ts';
import { type Answer, byGroupId, xcap } from '../../src/demo/faces.ts';
import {
  choosePorts,
  createCertificates,
  demoFolder,
  type RunningSystem,
  type SystemPorts,
  startSystem,
} from '../../src/demo/systems.ts';
import { describeWith } from '../describe-with.ts';

const scenarios = fileURLToPath(new URL('../sipp/', import.meta.url));
const groupId = 'sip:harbour-tg1@red.example';
const documentPath = 'org.openmobilealliance.groups/users/sip:groups@red.example/harbour-tg1.xml';

const closing: (() => Promise<void> | void)[] = [];
let folder: string;
let ports: Record<'red' | 'blue', SystemPorts>;
let red: RunningSystem;
let tasks: string;

/** What a scenario's shell commands ask for, by the path of the request. */
const work: Readonly<Record<string, () => Promise<Answer>>> = {
  '/change': () => write('PUT', `Harbour patrol ${process.hrtime.bigint()}`),
  '/delete': () => write('DELETE'),
  '/restart': async () => {
    await red.kill();
    red = await startSystem(folder, 'red', ports);
    return write('PUT', 'Harbour patrol after the restart');
  },
};

beforeEach(async () => {
  const made = await demoFolder();
  closing.push(() => made.remove());
  folder = made.path;
  await createCertificates(folder);
  ports = await choosePorts('any');
  red = await startSystem(folder, 'red', ports);
  closing.push(() => red.stop());
  const server = createServer((request, response) => {
    const task = work[request.url ?? ''];
    const done = task === undefined ? Promise.resolve({ status: 404 }) : task();
    done.then(
      ({ status }) => response.writeHead(status < 300 ? 204 : 500).end(),
      () => response.writeHead(500).end(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    server.close();
    await once(server, 'close');
  });
  tasks = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect((await write('PUT', 'Harbour patrol')).status).toBe(201);
}, 30_000);

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function write(method: 'PUT' | 'DELETE', name = ''): Promise<Answer> {
  const { document } = await harbour();
  return xcap(red.xcapRoot, {
    method,
    path: documentPath,
    identity: 'sip:admin@red.example',
    ...(method === 'PUT' ? { body: document.replace('Harbour patrol', name) } : {}),
  });
}

interface SippRun {
  readonly code: number;
  readonly output: string;
}

function play(sipp: string, scenario: string, transport: 'udp' | 'tcp'): Promise<SippRun> {
  const shell = (task: string): string => `${process.execPath} ${join(scenarios, 'ask.ts')} ${tasks}/${task}`;
  const keys = {
    psi: 'sip:gms@red.example',
    identity: 'sip:mcptt@red.example',
    entry: byGroupId(groupId),
    change: shell('change'),
    delete: shell('delete'),
    restart: shell('restart'),
    expires: '600',
  };
  const args = [
    `127.0.0.1:${ports.red.sip}`,
    ...[
      '-sf',
      join(scenarios, `${scenario}.xml`),
      '-m',
      '1',
      '-i',
      '127.0.0.1',
      '-t',
      transport === 'udp' ? 'u1' : 't1',
    ],
    ...['-nostdin', '-timeout', '40s', '-timeout_error', '-trace_err', '-error_file', join(folder, 'sipp-errors.log')],
    ...Object.entries(keys).flatMap(([key, value]) => ['-key', key, value]),
  ];
  return new Promise((resolve) => {
    execFile(sipp, args, { cwd: folder, timeout: 50_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, output: `${stdout.slice(-2000)}${stderr.slice(-2000)}` });
    });
  });
}

describeWith('sipp', 'SIPp scenarios against a running gateway', (sipp) => {
  const rules: readonly (readonly [string, string])[] = [
    ['lifecycle', 'RFC 5875 4.7: SUBSCRIBE, change, refresh, deletion, unsubscription'],
    ['fetch', 'RFC 5875 A.2: a fetch is one NOTIFY with everything'],
    ['bad-event', 'RFC 6665 4.2.1: another event package is 489 with Allow-Events'],
    ['interval-too-brief', 'RFC 6665 4.2.1.1: too short an interval is 423 with Min-Expires'],
    ['not-authorised', 'RFC 5875 7: a SUBSCRIBE without identity is 403'],
  ];
  for (const transport of ['udp', 'tcp'] as const) {
    test.each(rules)(
      `%s over ${transport}: %s`,
      async (scenario) => {
        const { code, output } = await play(sipp, scenario, transport);
        expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
      },
      60_000,
    );
  }

  test('restart over udp, RFC 3261 12.2.1.1: a subscription survives SIGKILL and its CSeq goes on', async () => {
    const before = red;
    const { code, output } = await play(sipp, 'restart', 'udp');
    expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
    expect(red).not.toBe(before);
  }, 60_000);
});
