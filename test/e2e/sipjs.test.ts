// sip.js, a SIP stack of others, subscribes at a running gateway over WebSocket (RFC 7118): list in the SUBSCRIBE, change, end.
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Subscriber, SubscriptionState, UserAgent } from 'sip.js';
import { request } from 'undici';
import { WebSocket } from 'ws';
import { redConfiguration, runGateway, type TestGateway, token } from '../../src/gateway/gateway.testkit.ts';
import { resourceList } from '../../src/sip/face.testkit.ts';

const groupId = 'sip:harbour-tg1@red.example';
const sel = `org.openmobilealliance.groups/global/byGroupID/${groupId}`;

let gateway: TestGateway;
let harbour: string;
let agent: UserAgent;

beforeEach(async () => {
  harbour = await readFile(new URL('../../config/groups/harbour-tg1.xml', import.meta.url), 'utf8');
  gateway = await runGateway({ ...redConfiguration(), sip: { listen: ['ws:127.0.0.1:0'] } });
  // The library takes the browser's.
  globalThis.WebSocket = WebSocket as unknown as typeof globalThis.WebSocket;
  const port = /:(\d+);transport=ws$/.exec(gateway.urls.sip[0] ?? '')?.[1];
  const uri = UserAgent.makeURI('sip:mcptt@red.example');
  if (uri === undefined) throw new Error('no URI');
  agent = new UserAgent({
    uri,
    transportOptions: { server: `ws://127.0.0.1:${port}/` },
    logLevel: 'error',
    logBuiltinEnabled: false,
  });
  await agent.start();
});
afterEach(async () => {
  await agent.stop();
  await gateway.close();
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

test('RFC 7118, RFC 6665 4.1: subscribed, told of a change, ended', async () => {
  await put(harbour);
  const target = UserAgent.makeURI('sip:gms@red.example');
  if (target === undefined) throw new Error('no URI');
  const subscriber = new Subscriber(agent, target, 'xcap-diff', {
    expires: 600,
    extraHeaders: ['P-Asserted-Identity: <sip:mcptt@red.example>', 'Accept: application/xcap-diff+xml'],
    contentType: 'application/resource-lists+xml',
    body: resourceList([sel]),
  });
  const bodies: string[] = [];
  const states: SubscriptionState[] = [];
  let wake: () => void = () => undefined;
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  subscriber.delegate = {
    onNotify: (notification) => {
      bodies.push(notification.request.body);
      void notification.accept();
      wake();
    },
  };
  subscriber.stateChange.addListener((state) => {
    states.push(state);
    wake();
  });
  await subscriber.subscribe();
  await until(() => bodies.length === 1);
  expect(bodies[0]).toMatch(/<document sel="[^"]*" new-etag="[^"]*"\/>/);
  await put(harbour.replace('Harbour patrol', 'Harbour patrol two'));
  await until(() => bodies.length === 2);
  expect(bodies[1]).toMatch(/<document sel="[^"]*" new-etag="[^"]*" previous-etag="[^"]*"\/>/);
  await subscriber.unsubscribe();
  await until(() => states.includes(SubscriptionState.Terminated));
});
