// The SIPp scenarios of test/sipp against running gateways: an independent SIP peer checks sel, tags, CSeq, states and refusals.
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { harbour } from '../../src/demo/example-groups.ts';
import { type Answer, byGroupId, xcap } from '../../src/demo/faces.ts';
import { portChooser } from '../../src/demo/free-ports.ts';
import { choosePorts, createCertificates, demoFolder, startSystem } from '../../src/demo/systems.ts';
import {
  blueConfiguration,
  token as operatorToken,
  redConfiguration,
  runGateway,
  type TestConfiguration,
} from '../../src/gateway/gateway.testkit.ts';
import { audience, issuer, keySetText, tokenIssuer } from '../../src/identity/credentials.testkit.ts';
import { onEngineUnderTest } from '../../src/sip/engine-under-test.testkit.ts';
import { describeWith } from '../describe-with.ts';
import { files, scenarios } from '../sipp/files.ts';
import { asking, type Play, play } from '../sipp/play.ts';
import type { Key, Scenario } from '../sipp/scenario.ts';

const administrator = 'sip:admin@red.example';

/** Puts the harbour group under another name, or deletes it, over XCAP. */
async function write(root: string, name: string, method: 'PUT' | 'DELETE', title = ''): Promise<Answer> {
  const { document } = await harbour();
  return xcap(root, {
    method,
    path: `org.openmobilealliance.groups/users/sip:groups@red.example/${name}.xml`,
    identity: administrator,
    ...(method === 'PUT' ? { body: document.replaceAll('harbour-tg1', name).replace('Harbour patrol', title) } : {}),
  });
}

/** Something that listens for what scenarios' shell commands ask for: POST /TASK/ARGUMENT. */
interface Tasks {
  readonly url: string;
  close(): Promise<void>;
}

async function listenFor(tasks: Readonly<Record<string, (name: string) => Promise<Answer>>>): Promise<Tasks> {
  const server = createServer((asked, response) => {
    const [, task = '', name = ''] = (asked.url ?? '').split('/');
    const done = tasks[task]?.(name) ?? Promise.resolve({ status: 404 });
    done.then(
      ({ status }) => response.writeHead(status < 300 ? 204 : 500).end(),
      () => response.writeHead(500).end(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

function partnerOf(configuration: TestConfiguration, more: object): TestConfiguration {
  const { partners } = configuration as { partners: readonly [object] };
  return { ...configuration, partners: [{ ...partners[0], ...more }] };
}

/** Values of all keys for a group of this name. */
function keysFor(name: string, tasks: string, token: string): Record<Key, string> {
  const group = `sip:${name}@red.example`;
  return {
    psi: 'sip:gms@red.example',
    identity: 'sip:mcptt@red.example',
    entry: byGroupId(group),
    collection: byGroupId(''),
    stranger: 'sip:nobody@red.example',
    group,
    root: 'https://gms.red.example/xcap-root/',
    token,
    short: '2',
    expires: '600',
    create: asking(`${tasks}/create/${name}`),
    change: asking(`${tasks}/change/${name}`),
    delete: asking(`${tasks}/delete/${name}`),
    restart: asking(`${tasks}/restart/${name}`),
  };
}

const closing: (() => unknown)[] = [];
const closeAll = async (): Promise<void> => {
  for (const close of closing.splice(0).reverse()) await close();
};

test('the scenario files and the table of the README are what scenarios-*.ts says', async () => {
  const at = (name: string): URL => new URL(`../sipp/${name}`, import.meta.url);
  for (const [name, text] of await files(readFile(at('README.md'), 'utf8'))) {
    expect([name, await readFile(at(name), 'utf8')]).toEqual([name, text]);
  }
  const played = (await readdir(at('.'))).filter((name) => name.endsWith('.xml'));
  expect(played.sort()).toEqual(scenarios.map(({ name }) => `${name}.xml`).sort());
});

/** A gateway on UDP and TCP with groups, tokens and what the scenarios' commands ask for. */
interface Stage {
  play(scenario: Scenario, transport: 'udp' | 'tcp'): Promise<Play>;
}

async function stage(sipp: string, sip: object): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'mcgw-sipp-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const idms = tokenIssuer('k1', { now: Date.now() });
  const token = await idms.token({ mcptt_id: 'sip:ines@red.example' });
  const jwks = join(folder, 'jwks.json');
  await writeFile(jwks, keySetText(idms));
  const gateway = await runGateway({
    ...redConfiguration(),
    // SIPp may be slow to answer where much else runs: no NOTIFY comes a second time before two seconds
    sip: onEngineUnderTest({
      listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'],
      timers: { t1: 2000 },
      minimumExpires: 2,
      ...sip,
    }),
    identity: { trustedProxies: ['127.0.0.1', '::1'], tokens: { issuer, audience, jwks } },
  });
  closing.push(() => gateway.close());
  const root = gateway.urls.xcap ?? '';
  const tasks = await listenFor({
    create: (name) => write(root, name, 'PUT', 'Created'),
    change: (name) => write(root, name, 'PUT', `Changed ${process.hrtime.bigint()}`),
    delete: (name) => write(root, name, 'DELETE'),
  });
  closing.push(() => tasks.close());
  return {
    play: async (scenario, transport) => {
      const name = `${scenario.name}-${transport}`;
      if (scenario.starts !== 'without document') {
        expect((await write(root, name, 'PUT', 'Harbour patrol')).status).toBe(201);
      }
      const uri = gateway.urls.sip[transport === 'udp' ? 0 : 1] ?? '';
      const port = Number(/:(\d+)(;|$)/.exec(uri)?.[1]);
      const address = uri.includes('[::1]') ? '::1' : '127.0.0.1';
      const keys = keysFor(name, tasks.url, token);
      const played = await play({ sipp, scenario, transport, port, address, keys, folder });
      // What is left would be in everybody's collection
      await write(root, name, 'DELETE');
      return played;
    },
  };
}

function scenarioOf(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`no scenario ${name}`);
  return found;
}

const well: Play = { code: 0, output: '' };

describeWith('sipp', 'SIPp scenarios against a running gateway', (sipp) => {
  describe('one gateway for all', () => {
    // Those that need a server of their own, and the one for load
    const elsewhere = ['restart', 'unanswered-notify', 'notify-first', 'load'];
    const over = (transport: 'udp' | 'tcp'): (readonly [string, string, Scenario])[] =>
      scenarios
        .filter(({ name }) => !elsewhere.includes(name))
        .filter((scenario) => (scenario.transport ?? transport) === transport)
        .map((scenario) => [scenario.name, `${scenario.clause}: ${scenario.proves}`, scenario]);
    let at: Stage;

    beforeAll(async () => {
      at = await stage(sipp, {});
    }, 30_000);
    afterAll(closeAll);

    test.each(over('udp'))(
      '%s over udp, %s',
      async (_, __, scenario) => expect(await at.play(scenario, 'udp')).toEqual(well),
      100_000,
    );
    test.each(over('tcp'))(
      '%s over tcp, %s',
      async (_, __, scenario) => expect(await at.play(scenario, 'tcp')).toEqual(well),
      100_000,
    );
  });

  describe('a gateway of their own', () => {
    afterEach(closeAll);

    test('unanswered-notify over tcp, RFC 5875 4.7, RFC 3261 17.1.2.2: Timer F ends the subscription', async () => {
      const at = await stage(sipp, { timers: { t1: 20 } });
      expect(await at.play(scenarioOf('unanswered-notify'), 'tcp')).toEqual(well);
    }, 100_000);

    test.each([
      ['lifecycle', 'udp'],
      ['record-route', 'udp'],
      ['lifecycle', 'tcp'],
      ['reconnect', 'tcp'],
    ] as const)(
      '%s over %s and IPv6, RFC 5118',
      async (name, transport) => {
        const at = await stage(sipp, { listen: ['udp:[::1]:0', 'tcp:[::1]:0'] });
        expect(await at.play(scenarioOf(name), transport)).toEqual(well);
      },
      100_000,
    );

    test('restart over udp, RFC 3261 12.2.1.1: a subscription survives SIGKILL and its CSeq goes on', async () => {
      const { path: folder, remove } = await demoFolder();
      closing.push(remove);
      await createCertificates(folder);
      const ports = await choosePorts('any');
      const first = await startSystem(folder, 'red', ports);
      let red = first;
      closing.push(() => red.stop());
      const name = 'restart-udp';
      const tasks = await listenFor({
        restart: async () => {
          await red.kill();
          red = await startSystem(folder, 'red', ports);
          return write(red.xcapRoot, name, 'PUT', 'Harbour patrol after the restart');
        },
      });
      closing.push(() => tasks.close());
      expect((await write(red.xcapRoot, name, 'PUT', 'Harbour patrol')).status).toBe(201);
      const scenario = scenarioOf('restart');
      const keys = keysFor(name, tasks.url, '');
      expect(await play({ sipp, scenario, transport: 'udp', port: ports.red.sip, keys, folder })).toEqual(well);
      expect(red).not.toBe(first);
    }, 120_000);

    test('notify-first over udp, RFC 6665 4.4.1: subscribed at a partner whose NOTIFY overtakes the 200', async () => {
      const groups = [{ groups: 'sip:*@red.example' }];
      const red = await runGateway(partnerOf(redConfiguration(), { agreement: { theyRequest: groups } }));
      closing.push(() => red.close());
      const port = await portChooser()();
      const blue = await runGateway(
        partnerOf(blueConfiguration(red.urls.interconnect), {
          agreement: { weRequest: groups },
          sip: [`sip:127.0.0.1:${port}`],
          sipFrom: ['127.0.0.1'],
        }),
      );
      closing.push(() => blue.close());
      const name = 'notify-first-udp';
      expect((await write(red.urls.xcap ?? '', name, 'PUT', 'Harbour patrol')).status).toBe(201);
      const scenario = scenarioOf('notify-first');
      const keys = keysFor(name, '', '');
      const played = play({ sipp, scenario, transport: 'udp', port, keys, folder: blue.folder });
      const { statusCode, body } = await request(`${blue.urls.manage}/api/v1/partners/red/pull`, {
        method: 'POST',
        headers: { authorization: `Bearer ${operatorToken}`, 'content-type': 'application/json' },
        body: JSON.stringify({ groupId: `sip:${name}@red.example` }),
      });
      await body.dump();
      expect(statusCode).toBe(200);
      expect(await played).toEqual(well);
    }, 100_000);

    test('a scenario says so when the server does something else', async () => {
      const at = await stage(sipp, { minimumExpires: 0 });
      const { code, output } = await at.play(scenarioOf('interval-too-brief'), 'udp');
      expect(code).toBe(1);
      expect(output).toContain("while expecting '423' (index 1), received 'SIP/2.0 200 OK");
    }, 60_000);
  });
});
