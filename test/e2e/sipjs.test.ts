// sip.js, a SIP stack of others, subscribes at a running gateway over WebSocket (RFC 7118): list in the SUBSCRIBE, change, end.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { request } from 'undici';
import { redConfiguration, runGateway, type TestGateway, token } from '../../src/gateway/gateway.testkit.ts';
import { until } from '../until.ts';
import { SipJsSubscriber } from './sip-js-subscriber.ts';

const groupId = 'sip:harbour-tg1@red.example';
const sel = `org.openmobilealliance.groups/global/byGroupID/${groupId}`;

let gateway: TestGateway;
let harbour: string;

beforeEach(async () => {
  harbour = await readFile(new URL('../../config/groups/harbour-tg1.xml', import.meta.url), 'utf8');
  gateway = await runGateway({
    ...redConfiguration(),
    sip: { listen: ['ws:127.0.0.1:0', 'wss:127.0.0.1:0'], tls: { cert: 'red.crt', key: 'red.key' } },
  });
});
afterEach(() => gateway.close());

async function put(document: string): Promise<void> {
  const { statusCode, body } = await request(`${gateway.urls.manage}/api/v1/groups/${encodeURIComponent(groupId)}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}` },
    body: document,
  });
  await body.dump();
  expect(statusCode).toBeLessThan(300);
}

async function subscriptions(): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  const { body } = await request(`${gateway.urls.manage}/api/v1/subscriptions`, { headers });
  return body.text();
}

test.each([
  ['ws', 0],
  ['wss', 1],
] as const)('RFC 7118, RFC 6665 4.1: subscribed, told of a change, ended, over %s', async (scheme, listener) => {
  await put(harbour);
  const port = /:(\d+);transport=wss?$/.exec(gateway.urls.sip[listener] ?? '')?.[1];
  const subscriber = await SipJsSubscriber.subscribe({
    server: `${scheme}://127.0.0.1:${port}/`,
    ca: await readFile(join(gateway.folder, 'ca.crt'), 'utf8'),
    identity: 'sip:mcptt@red.example',
    target: 'sip:gms@red.example',
    entries: [sel],
  });
  try {
    expect(await subscriber.body(0)).toMatch(/<document sel="[^"]*" new-etag="[^"]*"\/>/);
    await put(harbour.replace('Harbour patrol', 'Harbour patrol two'));
    expect(await subscriber.body(1)).toMatch(/<document sel="[^"]*" new-etag="[^"]*" previous-etag="[^"]*"\/>/);
    // The library takes its subscription for ended as soon as it has said so
    await subscriber.unsubscribe();
    await until(subscriptions, (text) => text === '{"subscriptions":[]}', 'the end of the subscription');
  } finally {
    await subscriber.stop();
  }
});
