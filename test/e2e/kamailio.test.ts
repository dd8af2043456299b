// A SIP core in front: Kamailio between subscribers and the gateway, record-routing itself once for each leg, so that the gateway's
// NOTIFYs and the subscribers' refreshes go through it by loose routes, over every transport.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { request } from 'undici';
import { groupsMimeType } from '../../src/demo/faces.ts';
import {
  blueConfiguration,
  redConfiguration,
  runGateway,
  type TestConfiguration,
  type TestGateway,
  token,
} from '../../src/gateway/gateway.testkit.ts';
import { changesOf, type Received, Subscriber } from '../../src/sip/face.testkit.ts';
import { describeWith } from '../describe-with.ts';
import { until } from '../until.ts';
import { type Core, type CoreOptions, startCore } from './kamailio-core.ts';
import { SipJsSubscriber } from './sip-js-subscriber.ts';

const groupId = 'sip:harbour-tg1@red.example';
const sel = `org.openmobilealliance.groups/global/byGroupID/${groupId}`;

/** Listeners of the gateway, in the order of its `sip.listen`. */
const listeners = ['udp', 'tcp', 'tls'] as const;
type Leg = (typeof listeners)[number];

let gateway: TestGateway;
let harbour: string;
let folder: string;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcgw-kamailio-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  harbour = await readFile(new URL('../../config/groups/harbour-tg1.xml', import.meta.url), 'utf8');
  gateway = await runGateway({
    ...redConfiguration(),
    sip: {
      listen: listeners.map((transport) => `${transport}:127.0.0.1:0`),
      tls: lab,
    },
  });
  closing.push(() => gateway.close());
  await put(harbour);
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function put(document: string, at: TestGateway = gateway): Promise<void> {
  const { statusCode, body } = await request(`${at.urls.manage}/api/v1/groups/${encodeURIComponent(groupId)}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}` },
    body: document,
  });
  await body.dump();
  expect(statusCode).toBeLessThan(300);
}

/** Names in the gateway's folder of what the lab has for red. */
const lab = { cert: 'red.crt', key: 'red.key', ca: 'ca.crt' };

function partnerOf(configuration: TestConfiguration, more: object): TestConfiguration {
  const { partners } = configuration as { partners: readonly [object] };
  return { ...configuration, partners: [{ ...partners[0], ...more }] };
}

/** Its subscriptions, as the management API tells them. */
async function subscriptionsAt(at: TestGateway = gateway): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  const { body } = await request(`${at.urls.manage}/api/v1/subscriptions`, { headers });
  return body.text();
}

/** Port at which the gateway listens. */
function portOf(leg: Leg): number {
  return Number(/:(\d+)(?:;|$)/.exec((gateway.urls.sip[listeners.indexOf(leg)] ?? '').slice(4))?.[1]);
}

/** Kamailio with that leg towards the gateway. */
async function front(kamailio: string, leg: Leg, more: Partial<CoreOptions> = {}): Promise<Core> {
  const core = await startCore({
    kamailio,
    folder: join(folder, 'core'),
    nextHop: `sip:127.0.0.1:${portOf(leg)};transport=${leg}`,
    ...more,
  });
  closing.push(() => core.stop());
  return core;
}

/** What the other system's proxy has from the lab: its certificate, and the authority of both. */
function certificates(): Pick<CoreOptions, 'tls'> {
  const at = (name: string): string => join(gateway.folder, name);
  return { tls: { cert: at('blue.crt'), key: at('blue.key'), ca: at('ca.crt') } };
}

/** Route set of the subscriber: the Record-Route of the response, reversed (RFC 3261 clause 12.1.2). */
function routesOf(response: Received): readonly string[] {
  const values = [...response.raw.matchAll(/^Record-Route: (.*)$/gim)].flatMap(([, value = '']) => value.split(','));
  return values.map((value) => value.trim()).reverse();
}

/** Via fields of a message, the last hop's first. */
function viasOf(message: Received): readonly string[] {
  return [...message.raw.matchAll(/^Via: (.*)$/gim)].map(([, value = '']) => value.trim());
}

/** Subscribes through the core, is told of a change, refreshes and ends; resolves to the first NOTIFY. */
async function subscriptionThrough(core: Core, routes: number): Promise<Received> {
  const subscriber = await Subscriber.open(core.port);
  closing.push(() => subscriber.close());
  const accepted = await subscriber.subscribe([sel]);
  expect(accepted.status).toBe(200);
  const routeSet = routesOf(accepted);
  expect(routeSet).toHaveLength(routes);
  const first = await subscriber.notify();
  expect(viasOf(first)).toHaveLength(2);
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
  return first;
}

/** The same with sip.js through the core's WebSocket. */
async function sipJsThrough(server: string): Promise<void> {
  const subscriber = await SipJsSubscriber.subscribe({
    server,
    ca: await readFile(join(gateway.folder, 'ca.crt'), 'utf8'),
    identity: 'sip:mcptt@red.example',
    target: 'sip:gms@red.example',
    entries: [sel],
  });
  closing.push(() => subscriber.stop());
  expect(await subscriber.body(0)).toMatch(/<document sel="[^"]*" new-etag="[^"]*"\/>/);
  await put(harbour.replace('Harbour patrol', 'Harbour patrol two'));
  expect(await subscriber.body(1)).toMatch(/ previous-etag="[^"]*"\/>/);
  // The library takes its subscription for ended as soon as it has said so
  await subscriber.unsubscribe();
  await until(subscriptionsAt, (text) => text === '{"subscriptions":[]}', 'the end of the subscription');
}

describeWith('kamailio', 'Kamailio in front of a running gateway', (kamailio) => {
  test.each([
    ['tcp', 2],
    ['udp', 1],
  ] as const)(
    'RFC 3261 16.6, 12.2.1.1: SUBSCRIBE, NOTIFY, refresh and end go through it, towards the gateway over %s',
    async (leg, routes) => {
      await subscriptionThrough(await front(kamailio, leg), routes);
    },
    60_000,
  );

  test('RFC 3261 16.3: what has no hops left ends at the core, what has one ends here', async () => {
    const core = await front(kamailio, 'tcp');
    const subscriber = await Subscriber.open(core.port);
    closing.push(() => subscriber.close());
    expect((await subscriber.request('OPTIONS', { 'Max-Forwards': '0' })).status).toBe(483);
    const answer = await subscriber.request('OPTIONS', { 'Max-Forwards': '1' });
    expect([answer.status, answer.header('Allow-Events')]).toEqual([200, 'xcap-diff']);
  }, 60_000);

  test('RFC 6665 4.2.2: a 481 that the core passes on ends the subscription', async () => {
    const core = await front(kamailio, 'tcp');
    const subscriber = await Subscriber.open(core.port);
    closing.push(() => subscriber.close());
    const { 'Request-URI': target, Route } = await subscriber.subscribe([sel]).then((accepted) => ({
      'Request-URI': /<([^>]*)>/.exec(accepted.header('Contact') ?? '')?.[1],
      Route: routesOf(accepted).join(', '),
    }));
    await subscriber.notify();
    subscriber.answer = '481 Subscription Does Not Exist';
    await put(harbour.replace('Harbour patrol', 'Harbour patrol two'));
    await subscriber.notify();
    const refresh = await subscriber.subscribe(undefined, { 'Request-URI': target, Route });
    expect(refresh.status).toBe(481);
  }, 60_000);

  describeWith('kamailio/modules/tls.so', 'over TLS', () => {
    test('RFC 3261 26.3.2, RFC 5922 7: towards the gateway over tls, each with its certificate', async () => {
      const core = await front(kamailio, 'tls', certificates());
      const first = await subscriptionThrough(core, 2);
      expect(viasOf(first)[1]).toMatch(/^SIP\/2\.0\/TLS /);
    }, 60_000);

    test('RFC 5923 5, RFC 5922 7: after the core was restarted the gateway dials it and verifies its certificate', async () => {
      const core = await front(kamailio, 'tls', certificates());
      const subscriber = await Subscriber.open(core.port);
      closing.push(() => subscriber.close());
      expect((await subscriber.subscribe([sel])).status).toBe(200);
      // As long as the core's connection lives, it is used: the core sees the port at which the gateway listens
      expect(viasOf(await subscriber.notify())[1]).toContain(`;rport=${portOf('tls')};`);

      await core.stop();
      await front(kamailio, 'tls', { ...certificates(), ports: core });
      await put(harbour.replace('Harbour patrol', 'Harbour patrol two'));
      const [, ours = ''] = viasOf(await subscriber.notify());
      expect(ours).toMatch(/^SIP\/2\.0\/TLS .*;rport=\d+/);
      expect(ours).not.toContain(`;rport=${portOf('tls')};`);
    }, 60_000);

    test('TS 24.481 6.3.13: a partner subscribes through the core over TLS and learns of changes by it', async () => {
      const groups = [{ groups: 'sip:*@red.example' }];
      const red = await runGateway(
        partnerOf(
          { ...redConfiguration(), sip: { listen: ['tls:127.0.0.1:0'], tls: lab } },
          { agreement: { theyRequest: groups }, sipFrom: ['127.0.0.1'] },
        ),
      );
      closing.push(() => red.close());
      const core = await startCore({
        kamailio,
        folder: join(folder, 'core'),
        nextHop: red.urls.sip[0] ?? '',
        ...certificates(),
      });
      closing.push(() => core.stop());
      const blue = await runGateway(
        partnerOf(
          {
            ...blueConfiguration(red.urls.interconnect),
            sip: { listen: ['tls:127.0.0.1:0'], tls: { ...lab, cert: 'blue.crt', key: 'blue.key' } },
          },
          {
            agreement: { weRequest: groups },
            sip: [`sip:127.0.0.1:${core.tlsPort};transport=tls`],
            sipFrom: ['127.0.0.1'],
          },
        ),
      );
      closing.push(() => blue.close());

      await put(harbour, red);
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const body = JSON.stringify({ groupId });
      const pull = await request(`${blue.urls.manage}/api/v1/partners/red/pull`, { method: 'POST', headers, body });
      await pull.body.dump();
      expect(pull.statusCode).toBe(200);
      await until(
        () => subscriptionsAt(red),
        (text) => /"told":1,"outstanding":false/.test(text),
        'the subscription of blue',
      );
      await put(harbour.replace('Harbour patrol', 'Harbour watch'), red);
      const atBlue = async (): Promise<string> => {
        const url = `${blue.urls.manage}/api/v1/groups/${encodeURIComponent(groupId)}`;
        const { body: text } = await request(url, { headers: { ...headers, accept: groupsMimeType } });
        return text.text();
      };
      await until(atBlue, (text) => text.includes('Harbour watch'), 'the change at blue', 20_000);
    }, 90_000);

    describeWith('kamailio/modules/websocket.so', 'for sip.js on secure WebSocket', () => {
      test('RFC 7118, RFC 3261 16.6: WSS at the edge, TLS towards the gateway', async () => {
        const core = await front(kamailio, 'tls', { ...certificates(), webSocket: true });
        await sipJsThrough(`wss://127.0.0.1:${core.tlsPort}/`);
      }, 60_000);
    });
  });

  describeWith('kamailio/modules/websocket.so', 'for sip.js on WebSocket', () => {
    test.each(['tcp', 'udp'] as const)(
      'RFC 7118, RFC 3261 16.6: WebSocket at the edge, %s towards the gateway',
      async (leg) => {
        const core = await front(kamailio, leg, { webSocket: true });
        await sipJsThrough(`ws://127.0.0.1:${core.port}/`);
      },
      60_000,
    );
  });
});
