// The core of the SIP suite once more, on an engine that is a process of its own and that the environment names: the same tests as
// run on the embedded one, and as may be run on a real drachtio-server.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { portChooser } from '../../src/demo/free-ports.ts';
import { describeWith } from '../describe-with.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
const secret = 'of-the-test-engine';
let folder: string;
let engine: ChildProcess;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcgw-external-'));
  const choose = portChooser();
  const [control, sip] = [await choose(), await choose()];
  const listen = [`udp:127.0.0.1:${sip}`, `tcp:127.0.0.1:${sip}`];
  const file = join(folder, 'gateway.yaml');
  await writeFile(
    file,
    stringify({
      system: { name: 'red', domains: ['red.example'], gms: 'sip:gms@red.example' },
      xcap: { listen: { port: 0 }, root: 'http://127.0.0.1:0/xcap-root' },
      sip: { listen, timers: { t1: 200 }, engine: { drachtio: { host: '127.0.0.1', port: control, secret } } },
      storage: { sqlite: 'red.db' },
    }),
  );
  engine = spawn(process.execPath, [join(project, 'bin/mcgw.js'), 'engine', '--config', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (engine.stdout === null) throw new Error('no standard output');
  const [line] = (await once(createInterface({ input: engine.stdout }), 'line')) as [string];
  expect(line).toBe(`ready control=127.0.0.1:${control} sip=sip:127.0.0.1:${sip},sip:127.0.0.1:${sip};transport=tcp`);
  environment = {
    MCGW_TEST_ENGINE: `127.0.0.1:${control}`,
    MCGW_TEST_ENGINE_SECRET: secret,
    MCGW_TEST_ENGINE_SIP: listen.join(','),
  };
}, 60_000);

afterAll(async () => {
  const exit = once(engine, 'exit');
  engine.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  await rm(folder, { recursive: true, force: true });
}, 60_000);

interface Counts {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
}

/** Runs these tests on the engine, one file after the other: it serves one application at a time. */
function onTheEngine(...args: readonly string[]): Promise<{ readonly counts: Counts; readonly output: string }> {
  const jest = join(project, 'node_modules/jest/bin/jest.js');
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', jest];
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [...node, '--runInBand', '--json', ...args],
      { cwd: project, env: { ...process.env, ...environment }, timeout: 180_000, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        try {
          resolve({ counts: JSON.parse(stdout) as Counts, output: stderr });
        } catch {
          reject(error ?? new Error(stderr));
        }
      },
    );
  });
}

test('the SIP face on an engine in another process: RFC 6665 and RFC 5875 by its own tests', async () => {
  const { counts, output } = await onTheEngine('src/sip/sip-face.test.ts', 'src/sip/sip-face-subscribe.test.ts');
  expect([counts.numFailedTests, counts.numFailedTestSuites, output]).toEqual([0, 0, expect.any(String)]);
  expect(counts.numPassedTests).toBeGreaterThan(40);
}, 200_000);

describeWith('sipp', 'SIPp against a gateway on an engine in another process', () => {
  // One of each kind: state, dialogs, connections, credentials, answers, refusals
  const scenarios = ['lifecycle', 'conditional', 'record-route', 'reconnect', 'token', 'refused-notify', 'options'];

  test(`the scenarios ${scenarios.join(', ')}`, async () => {
    const pattern = ` (${scenarios.join('|')}) over (udp|tcp), `;
    const { counts, output } = await onTheEngine('test/e2e/sipp.test.ts', '--testNamePattern', pattern);
    expect([counts.numFailedTests, counts.numFailedTestSuites, output]).toEqual([0, 0, expect.any(String)]);
    expect(counts.numPassedTests).toBe(2 * scenarios.length - 1);
  }, 200_000);
});
