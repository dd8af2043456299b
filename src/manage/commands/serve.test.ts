// `mcgw serve` as a process: its one line, its log, its signals, its exit codes.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { request } from 'undici';
import { stringify } from 'yaml';
import { readyLine } from './serve.ts';

const program = fileURLToPath(new URL('../../../bin/mcgw.js', import.meta.url));
let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcgw-serve-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

const sound = {
  system: { name: 'red', domains: ['red.example'], gms: 'sip:gms@red.example' },
  xcap: { listen: { port: 0 }, root: 'http://127.0.0.1:0/xcap-root' },
  sip: { listen: ['udp:127.0.0.1:0'] },
  storage: { sqlite: 'red.db' },
  manage: { listen: { port: 0 }, token: 'operator-token' },
};

interface Served {
  readonly child: ChildProcess;
  readonly out: readonly string[];
  readonly log: readonly string[];
  /** Resolves with the first line of the log that says this. */
  logged(message: string): Promise<Readonly<Record<string, unknown>>>;
  ready(): Promise<Readonly<Record<string, string>>>;
  ended(): Promise<number | null>;
}

function serve(configuration: object, ...nodeOptions: readonly string[]): Served {
  const file = join(folder, 'gateway.yaml');
  writeFileSync(file, stringify(configuration));
  const child = spawn(process.execPath, [...nodeOptions, program, 'serve', '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  const out: string[] = [];
  const log: string[] = [];
  const outLines = createInterface({ input: child.stdout });
  const logLines = createInterface({ input: child.stderr });
  outLines.on('line', (line) => out.push(line));
  logLines.on('line', (line) => log.push(line));
  const ended = Promise.all([exit, once(outLines, 'close'), once(logLines, 'close')]).then(([code]) => code);
  const first = async (
    lines: readonly string[],
    source: typeof outLines,
    fits: (line: string) => boolean,
  ): Promise<string> => {
    for (;;) {
      const found = lines.find(fits);
      if (found !== undefined) return found;
      await Promise.race([
        once(source, 'line'),
        ended.then((code) => {
          if (!lines.some(fits)) throw new Error(`ended with ${code}: ${log.join('\n')}`);
        }),
      ]);
    }
  };
  return {
    child,
    out,
    log,
    logged: async (message) => JSON.parse(await first(log, logLines, (line) => line.includes(`"msg":"${message}`))),
    ready: async () => {
      const line = await first(out, outLines, (text) => text.startsWith('ready '));
      return Object.fromEntries(
        line
          .slice(6)
          .split(' ')
          .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
      );
    },
    ended: () => ended,
  };
}

test('the line names every face that is configured', () => {
  const faces = {
    xcap: 'http://a/x',
    interconnect: 'https://b/x',
    sip: ['sip:c', 'sip:c;transport=tcp'],
    manage: 'http://d',
  };
  expect(readyLine(faces)).toBe(
    'ready xcap=http://a/x interconnect=https://b/x sip=sip:c,sip:c;transport=tcp manage=http://d',
  );
  expect(readyLine({ xcap: 'http://a/x', sip: [] })).toBe('ready xcap=http://a/x');
});

test('standard output is the one line, standard error JSON lines, and all faces answer', async () => {
  const gateway = serve(sound);
  const urls = await gateway.ready();
  expect((await request(`${urls.manage}/readyz`)).statusCode).toBe(200);
  expect((await request(`${urls.xcap}/xcap-caps/global/index`)).statusCode).toBe(403);
  expect(urls.sip).toMatch(/^sip:127\.0\.0\.1:\d+$/);
  gateway.child.kill('SIGTERM');
  expect(await gateway.ended()).toBe(0);
  expect(gateway.out).toHaveLength(1);
  const messages = gateway.log.map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(messages).toEqual(expect.arrayContaining(['ready', 'stopping', 'stopped']));
});

test('SIGINT stops it too', async () => {
  const gateway = serve(sound);
  await gateway.ready();
  gateway.child.kill('SIGINT');
  expect(await gateway.ended()).toBe(0);
});

test('SIGTERM waits for a request that is under way', async () => {
  const gateway = serve(sound);
  const urls = await gateway.ready();
  const body = JSON.stringify({ groupId: 'sip:x@red.example' });
  const { hostname, port } = new URL(urls.manage ?? '');
  const socket = connect(Number(port), hostname);
  const answers = createInterface({ input: socket });
  const head = [
    'POST /api/v1/partners/blue/pull HTTP/1.1',
    `Host: ${hostname}`,
    'Authorization: Bearer operator-token',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Expect: 100-continue',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  expect(await once(answers, 'line')).toEqual(['HTTP/1.1 100 Continue']);
  gateway.child.kill('SIGTERM');
  await gateway.logged('stopping');
  const rest = once(socket, 'end');
  const lines: string[] = [];
  answers.on('line', (line) => lines.push(line));
  socket.write(body);
  await rest;
  expect(lines).toContain('HTTP/1.1 404 Not Found');
  expect(await gateway.ended()).toBe(0);
});

test('SIGHUP takes over what it can, and keeps what runs when the configuration has errors', async () => {
  const gateway = serve(sound);
  const urls = await gateway.ready();
  const file = join(folder, 'gateway.yaml');
  writeFileSync(file, stringify({ ...sound, colour: 'red' }));
  gateway.child.kill('SIGHUP');
  expect(await gateway.logged('configuration')).toMatchObject({
    problem: expect.stringContaining(': colour: unknown key'),
  });
  await gateway.logged('not reloaded');
  writeFileSync(file, stringify({ ...sound, storage: { sqlite: 'other.db' }, logging: { level: 'debug' } }));
  gateway.child.kill('SIGHUP');
  expect(await gateway.logged('reloaded, but')).toMatchObject({ keys: ['storage.sqlite'] });
  expect((await request(`${urls.manage}/readyz`)).statusCode).toBe(200);
});

test('a configuration with errors ends it with 2 and every problem on standard error', async () => {
  const gateway = serve({ ...sound, colour: 'red', storage: {} });
  expect(await gateway.ended()).toBe(2);
  expect(gateway.out).toEqual([]);
  expect(gateway.log.map((line) => line.replace(/^.*?:\d+: /, ''))).toEqual([
    'storage.sqlite: is required',
    'colour: unknown key',
  ]);
});

test.each(['xcap', 'manage', 'sip'])(
  'a port of %s that is taken ends it with 1 and one line that says which',
  async (section) => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    const address = blocker.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const taken = {
      xcap: { listen: { port }, root: `http://127.0.0.1:${port}/xcap-root` },
      manage: { ...sound.manage, listen: { port } },
      sip: { listen: [`tcp:127.0.0.1:${port}`] },
    }[section];
    const gateway = serve({ ...sound, [section]: taken });
    expect(await gateway.ended()).toBe(1);
    expect(gateway.out).toEqual([]);
    expect(gateway.log).toHaveLength(1);
    const line = await gateway.logged(`the gateway cannot start: ${section}.listen: `);
    expect(line.msg).toContain(`127.0.0.1:${port}`);
    expect(line).not.toHaveProperty('err');
    blocker.close();
  },
);

test('a file that is no store ends it with 1 and one line that says which', async () => {
  writeFileSync(join(folder, 'red.db'), 'no store'.repeat(100));
  const gateway = serve(sound);
  expect(await gateway.ended()).toBe(1);
  expect(gateway.log).toHaveLength(1);
  const line = await gateway.logged('the gateway cannot start: storage.sqlite: ');
  expect(line.msg).toContain(`${join(folder, 'red.db')}: this is not a store of this gateway`);
  expect(line).not.toHaveProperty('err');
});

test('a second gateway on the same store ends with 1', async () => {
  const first = serve(sound);
  await first.ready();
  const second = serve(sound);
  expect(await second.ended()).toBe(1);
  await second.logged('the gateway cannot start');
});

test('the end of the SIP engine ends it with 1, the rest closed', async () => {
  // Node tells of every worker thread; this one is ended from outside
  const endWorker = "process.on('worker', (worker) => process.on('SIGUSR2', () => worker.terminate()))";
  const gateway = serve(sound, '--import', `data:text/javascript,${encodeURIComponent(endWorker)}`);
  await gateway.ready();
  gateway.child.kill('SIGUSR2');
  expect(await gateway.ended()).toBe(1);
  expect(await gateway.logged('the gateway stops because of a fault')).toMatchObject({ level: 60 });
  await gateway.logged('stopped');
});
