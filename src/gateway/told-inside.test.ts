// Two whole gateways: what a primary tells on the wire inside the agreement, so that its partner keeps what it holds.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from 'undici';
import { blueConfiguration, redConfiguration, runGateway, type TestGateway, token } from './gateway.testkit.ts';

const headers = { authorization: `Bearer ${token}` };
const groupId = 'sip:harbour-tg1@red.example';
const shared = [{ groups: 'sip:harbour-*@red.example' }];

let red: TestGateway;
let blue: TestGateway;

function withAgreement(configuration: Record<string, unknown>, agreement: object): Record<string, unknown> {
  const { partners } = configuration as { partners: readonly [object] };
  return { ...configuration, partners: [{ ...partners[0], agreement }] };
}

beforeAll(async () => {
  red = await runGateway(withAgreement(redConfiguration(), { theyRequest: shared }));
  const atBlue = { weRequest: [{ groups: 'sip:*@red.example' }] };
  blue = await runGateway(withAgreement(blueConfiguration(red.urls.interconnect), atBlue));
});
afterAll(async () => {
  await blue?.close();
  await red?.close();
});

async function pull(id: string): Promise<{ readonly status: number; readonly answer: unknown }> {
  const answer = await request(`${blue.urls.manage}/api/v1/partners/red/pull`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ groupId: id }),
  });
  return { status: answer.statusCode, answer: await answer.body.json() };
}

async function lastCause(id: string): Promise<unknown> {
  const answer = await request(`${blue.urls.manage}/api/v1/journal?subject=${encodeURIComponent(id)}`, { headers });
  const { entries } = (await answer.body.json()) as {
    entries: readonly { action: string; detail?: { cause?: unknown } }[];
  };
  return entries.filter(({ action }) => action === 'fetch-failed').at(-1)?.detail?.cause;
}

test('an agreement suspended at the primary is told inside its patterns: the partner keeps its copy, stale; outside it is the uniform 404', async () => {
  const harbour = await readFile(new URL('../../config/groups/harbour-tg1.xml', import.meta.url), 'utf8');
  const path = `/api/v1/groups/${encodeURIComponent(groupId)}`;
  const put = await request(`${red.urls.manage}${path}`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/vnd.oma.poc.groups+xml' },
    body: harbour,
  });
  expect(put.statusCode).toBe(201);
  await put.body.dump();
  expect(await pull(groupId)).toMatchObject({ status: 200, answer: { outcome: 'stored' } });
  await red.reload(await red.changed((now) => withAgreement(now, { state: 'suspended', theyRequest: shared })));

  expect(await pull(groupId)).toMatchObject({ status: 502, answer: { code: 'partner-refused' } });
  expect(await lastCause(groupId)).toMatch(/^403: .*agreement-not-active: The agreement with the partner is suspended/);
  const kept = await request(`${blue.urls.manage}${path}`, { headers });
  expect(kept.statusCode).toBe(200);
  expect(await kept.body.json()).toHaveProperty('staleSince');

  for (const outside of ['sip:secret-1@red.example', 'sip:secret-2@red.example']) {
    expect(await pull(outside)).toMatchObject({ status: 404, answer: { code: 'not-found' } });
  }
});
