// Two whole gateways that share groups by request alone: what changes at the home reaches the partner by SUBSCRIBE and NOTIFY.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from 'undici';
import { until } from '../../test/until.ts';
import { blueConfiguration, redConfiguration, runGateway, type TestGateway, token } from './gateway.testkit.ts';

const groupId = 'sip:harbour-tg1@red.example';
const path = `/api/v1/groups/${encodeURIComponent(groupId)}`;
const authorization = `Bearer ${token}`;

let red: TestGateway;
let blue: TestGateway;
let harbour: string;

function partnerOf(configuration: Record<string, unknown>, more: object): object {
  const { partners } = configuration as { partners: readonly [object] };
  return { ...configuration, partners: [{ ...partners[0], ...more }] };
}

beforeAll(async () => {
  const groups = [{ groups: 'sip:*@red.example' }];
  harbour = await readFile(new URL('../../config/groups/harbour-tg1.xml', import.meta.url), 'utf8');
  red = await runGateway({
    ...partnerOf(redConfiguration(), { agreement: { theyRequest: groups }, sipFrom: ['127.0.0.1'] }),
  });
  blue = await runGateway({
    ...partnerOf(blueConfiguration(red.urls.interconnect), {
      agreement: { weRequest: groups },
      sip: red.urls.sip.slice(0, 1),
      sipFrom: ['127.0.0.1'],
    }),
  });
});
afterAll(async () => {
  await blue.close();
  await red.close();
});

async function put(document: string): Promise<void> {
  const headers = { authorization, 'content-type': 'application/vnd.oma.poc.groups+xml' };
  const answer = await request(`${red.urls.manage}${path}`, { method: 'PUT', headers, body: document });
  expect(answer.statusCode).toBeLessThan(300);
  await answer.body.dump();
}

async function atBlue(): Promise<{ readonly status: number; readonly text: string }> {
  const accept = 'application/vnd.oma.poc.groups+xml';
  const answer = await request(`${blue.urls.manage}${path}`, { headers: { authorization, accept } });
  return { status: answer.statusCode, text: await answer.body.text() };
}

test('TS 24.481 6.3.13: a change and a deletion at the home reach the partner that subscribed, long before its timer', async () => {
  await put(harbour);
  const headers = { authorization, 'content-type': 'application/json' };
  const body = JSON.stringify({ groupId });
  const pulled = await request(`${blue.urls.manage}/api/v1/partners/red/pull`, { method: 'POST', headers, body });
  expect(pulled.statusCode).toBe(200);
  await pulled.body.dump();
  const subscribed = async (): Promise<unknown> => {
    const answer = await request(`${red.urls.manage}/api/v1/subscriptions`, { headers: { authorization } });
    return answer.body.json();
  };
  await until(
    subscribed,
    (answer) => (answer as { subscriptions: readonly unknown[] }).subscriptions.length === 1,
    'the subscription of blue',
  );
  await put(harbour.replace('Harbour patrol', 'Harbour watch'));
  await until(atBlue, ({ text }) => text.includes('Harbour watch'), 'the change at blue');
  const deleted = await request(`${red.urls.manage}${path}`, { method: 'DELETE', headers: { authorization } });
  await deleted.body.dump();
  await until(atBlue, ({ status }) => status === 404, 'the deletion at blue');
});

test('metrics tell SIP requests of both directions with their answers and times, and what waits to be sent', async () => {
  const metricsOf = async (gateway: TestGateway): Promise<string> =>
    (await request(`${gateway.urls.manage}/metrics`)).body.text();
  const subscribed = /^mcgw_sip_requests_total\{direction="(in|out)",method="SUBSCRIBE",status="200"\} [1-9]/m;
  const notified = /^mcgw_sip_requests_total\{direction="(in|out)",method="NOTIFY",status="200"\} [1-9]/m;
  const atRed = await until(
    () => metricsOf(red),
    (text) => notified.test(text),
    'the NOTIFY in the metrics of red',
  );
  expect(subscribed.exec(atRed)?.[1]).toBe('in');
  expect(notified.exec(atRed)?.[1]).toBe('out');
  expect(atRed).toMatch(/^mcgw_sip_request_seconds_count\{direction="out",method="NOTIFY"\} [1-9]/m);
  expect(atRed).toMatch(/^mcgw_notifications_waiting 0$/m);
  const ofBlue = await metricsOf(blue);
  expect(subscribed.exec(ofBlue)?.[1]).toBe('out');
  expect(notified.exec(ofBlue)?.[1]).toBe('in');
});
