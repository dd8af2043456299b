// Operators with tokens of their own: who did it, and what one may not do who has some groups only.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from 'undici';
import {
  redConfiguration,
  runGateway,
  type TestConfiguration,
  type TestGateway,
  token,
} from '../gateway/gateway.testkit.ts';
import { operations } from './operations.ts';

const harbourId = 'sip:harbour-tg1@red.example';
const pierId = 'sip:pier-tg1@red.example';
const ann = 'token-of-ann';
const limited = 'token-of-lim';

let red: TestGateway;
const withOperators = (configuration: TestConfiguration): TestConfiguration => ({
  ...configuration,
  manage: {
    ...(configuration.manage as object),
    operators: [
      { name: 'ann', token: ann },
      { name: 'lim', token: limited, groups: ['sip:harbour-*@red.example'] },
    ],
  },
});

beforeAll(async () => {
  red = await runGateway(withOperators(redConfiguration()));
  const harbour = await readFile(new URL('../../config/groups/harbour-tg1.xml', import.meta.url), 'utf8');
  expect(await ask(limited, 'PUT', group(harbourId), harbour)).toMatchObject({ status: 201 });
  expect(await ask(ann, 'PUT', group(pierId), harbour.replaceAll('harbour-tg1', 'pier-tg1'))).toMatchObject({
    status: 201,
  });
});
afterAll(() => red.close());

const group = (id: string): string => `groups/${encodeURIComponent(id)}`;

async function ask(bearer: string, method: string, path: string, body?: string) {
  const response = await request(`${red.urls.manage}/api/v1/${path}`, {
    method: method as 'GET',
    headers: {
      authorization: `Bearer ${bearer}`,
      ...(body?.startsWith('{') ? { 'content-type': 'application/json' } : {}),
    },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.body.text();
  return {
    status: response.statusCode,
    json: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {},
  };
}

const forbidden = { status: 403, json: { code: 'forbidden' } };

test('the journal names the person', async () => {
  const { json } = await ask(token, 'GET', 'journal');
  const entries = json.entries as readonly {
    readonly actor: string;
    readonly subject: string;
    readonly action: string;
  }[];
  const writers = entries.filter(({ action }) => action === 'document-put').map(({ actor }) => actor);
  expect(writers).toEqual(['lim', 'ann']);
});

test('one with patterns lists and acts on its groups only', async () => {
  const listed = await ask(limited, 'GET', 'groups');
  expect((listed.json.groups as readonly { readonly groupId: string }[]).map(({ groupId }) => groupId)).toEqual([
    harbourId,
  ]);
  const all = await ask(ann, 'GET', 'groups');
  expect(all.json.groups).toHaveLength(2);
  expect((await ask(limited, 'GET', group(harbourId))).status).toBe(200);
  expect(await ask(limited, 'GET', group(pierId))).toMatchObject(forbidden);
  expect(await ask(limited, 'DELETE', group(pierId))).toMatchObject(forbidden);
  const deliveries = (await ask(limited, 'GET', 'deliveries')).json.deliveries as readonly {
    readonly groupId: string;
  }[];
  expect(new Set(deliveries.map(({ groupId }) => groupId))).toEqual(new Set([harbourId]));
});

test('a group document cannot carry another group past the patterns', async () => {
  const harbour = await readFile(new URL('../../config/groups/harbour-tg1.xml', import.meta.url), 'utf8');
  const smuggled = harbour.replaceAll('harbour-tg1', 'pier-tg1');
  expect((await ask(limited, 'PUT', group(harbourId), smuggled)).status).toBeGreaterThanOrEqual(400);
});

test('pushes and pulls of one with patterns name one of its groups', async () => {
  const body = (groupId: string): string => JSON.stringify({ groupId });
  expect((await ask(limited, 'POST', 'partners/blue/push', body(harbourId))).status).toBe(202);
  expect(await ask(limited, 'POST', 'partners/blue/push', body(pierId))).toMatchObject(forbidden);
  expect(await ask(limited, 'POST', 'partners/blue/pull', body('sip:other@blue.example'))).toMatchObject(forbidden);
  expect(await ask(limited, 'POST', 'partners/blue/pull', JSON.stringify({ groups: '*' }))).toMatchObject(forbidden);
});

test('everything that is not about one group is forbidden to one with patterns, unless it says otherwise', async () => {
  const whole = operations.filter(({ path, limited: part }) => part === undefined && !path.includes('{groupId}'));
  expect(whole.length).toBeGreaterThan(5);
  for (const { method, path } of whole) {
    const answer = await ask(limited, method.toUpperCase(), path.slice(1).replace(/\{\w+\}/g, 'blue'));
    expect([path, answer.status]).toEqual([path, 403]);
  }
  expect(await ask(limited, 'GET', 'partners')).toMatchObject({ status: 200 });
});

test('a token is taken back by SIGHUP', async () => {
  expect((await ask(ann, 'GET', 'groups')).status).toBe(200);
  expect(await red.reload(await red.changed(() => redConfiguration()))).toEqual([]);
  expect((await ask(ann, 'GET', 'groups')).status).toBe(401);
  expect((await ask(token, 'GET', 'groups')).status).toBe(200);
  await red.reload(await red.changed(withOperators));
  expect((await ask(ann, 'GET', 'groups')).status).toBe(200);
});
