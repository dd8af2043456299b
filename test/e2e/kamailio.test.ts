// A SIP core in front: Kamailio between a subscriber on UDP and the gateway, record-routing itself once for each leg, so that the
// gateway's NOTIFYs and the subscriber's refreshes go through it by loose routes.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { request } from 'undici';
import { portChooser } from '../../src/demo/free-ports.ts';
import { redConfiguration, runGateway, type TestGateway, token } from '../../src/gateway/gateway.testkit.ts';
import { changesOf, type Received, Subscriber } from '../../src/sip/face.testkit.ts';
import { describeWith } from '../describe-with.ts';

const groupId = 'sip:harbour-tg1@red.example';
const sel = `org.openmobilealliance.groups/global/byGroupID/${groupId}`;

let gateway: TestGateway;
let harbour: string;
let folder: string;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcgw-kamailio-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  harbour = await readFile(new URL('../../config/groups/harbour-tg1.xml', import.meta.url), 'utf8');
  gateway = await runGateway({ ...redConfiguration(), sip: { listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'] } });
  closing.push(() => gateway.close());
  await put(harbour);
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function put(document: string): Promise<void> {
  const { statusCode, body } = await request(`${gateway.urls.manage}/api/v1/groups/${encodeURIComponent(groupId)}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}` },
    body: document,
  });
  await body.dump();
  expect(statusCode).toBeLessThan(300);
}

function configuration(port: number, nextHop: string): string {
  const modules = ['tm', 'sl', 'rr', 'pv', 'maxfwd', 'textops', 'siputils'];
  return `#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
${modules.map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("rr", "enable_double_rr", 1)
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (has_totag()) {
    if (!loose_route()) { sl_send_reply("404", "Not Here"); exit; }
    t_relay();
    exit;
  }
  record_route();
  $du = "${nextHop}";
  t_relay();
}
`;
}

/** Starts Kamailio and resolves with its port once it accepts. */
async function front(kamailio: string, nextHop: string): Promise<number> {
  const port = await portChooser()();
  const file = join(folder, 'kamailio.cfg');
  await writeFile(file, configuration(port, nextHop));
  const args = ['-f', file, '-DD', '-E', '-m', '32', '-M', '8', '-Y', folder, '-w', folder, '-P', join(folder, 'pid')];
  const child = spawn(kamailio, args, { stdio: 'ignore', detached: true });
  closing.push(() => end(child));
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`kamailio ended with ${code}`);
  });
  exited.catch(() => undefined);
  await Promise.race([accepts(port), exited]);
  return port;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const exit = once(child, 'exit');
  // It has children of its own in its process group.
  process.kill(-child.pid, 'SIGTERM');
  await exit;
}

async function accepts(port: number): Promise<void> {
  const limit = Date.now() + 15_000;
  while (Date.now() < limit) {
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('kamailio does not accept');
}

/** Route set of the subscriber: the Record-Route of the response, reversed (RFC 3261 clause 12.1.2). */
function routesOf(response: Received): readonly string[] {
  const values = [...response.raw.matchAll(/^Record-Route: (.*)$/gim)].flatMap(([, value = '']) => value.split(','));
  return values.map((value) => value.trim()).reverse();
}

describeWith('kamailio', 'Kamailio in front of a running gateway', (kamailio) => {
  test.each([
    ['tcp', 1, 2],
    ['udp', 0, 1],
  ] as const)(
    'RFC 3261 16.6, 12.2.1.1: SUBSCRIBE, NOTIFY, refresh and end go through it, towards the gateway over %s',
    async (transport, listener, routes) => {
      const gatewayPort = Number(/:(\d+)/.exec((gateway.urls.sip[listener] ?? '').slice(4))?.[1]);
      const port = await front(kamailio, `sip:127.0.0.1:${gatewayPort};transport=${transport}`);
      const subscriber = await Subscriber.open(port);
      closing.push(() => subscriber.close());

      const accepted = await subscriber.subscribe([sel]);
      expect(accepted.status).toBe(200);
      const routeSet = routesOf(accepted);
      expect(routeSet).toHaveLength(routes);
      const first = await subscriber.notify();
      expect([...first.raw.matchAll(/^Via: /gim)]).toHaveLength(2);
      expect(changesOf(first)).toHaveLength(1);

      await put(harbour.replace('Harbour patrol', 'Harbour patrol two'));
      const second = await subscriber.notify();
      expect(changesOf(second)[0]).toMatch(/ \S{2,} \S{2,}$/);

      const target = /<([^>]*)>/.exec(accepted.header('Contact') ?? '')?.[1];
      const inDialog = { 'Request-URI': target, Route: routeSet.join(', ') };
      expect((await subscriber.subscribe(undefined, inDialog)).status).toBe(200);
      expect(changesOf(await subscriber.notify())).toHaveLength(1);
      expect((await subscriber.subscribe(undefined, { ...inDialog, Expires: '0' })).status).toBe(200);
      expect((await subscriber.notify()).header('Subscription-State')).toBe('terminated;reason=timeout');
    },
    30_000,
  );
});
