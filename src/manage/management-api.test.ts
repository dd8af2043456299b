// The management API of whole gateways over real sockets.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import {
  blueConfiguration,
  redConfiguration,
  runGateway,
  type TestGateway,
  token,
} from '../gateway/gateway.testkit.ts';
import { undocumented } from './answers.testkit.ts';
import type { HeldGroup, ListedDelivery, ListedGroup, ListedPartner } from './listings.ts';

const groupId = 'sip:harbour-tg1@red.example';
const mediaType = 'application/vnd.oma.poc.groups+xml';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  readonly json: unknown;
}

let red: TestGateway;
let harbour: string;

beforeAll(async () => {
  red = await runGateway(redConfiguration());
  harbour = await readFile(new URL('../../config/groups/harbour-tg1.xml', import.meta.url), 'utf8');
});
afterAll(() => red.close());

interface Asked {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function ask(path: string, { method = 'GET', headers = {}, body }: Asked = {}, gateway = red): Promise<Answer> {
  const response = await request(`${gateway.urls.manage}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.body.text();
  const isJson = String(response.headers['content-type']).startsWith('application/json');
  const json: unknown = isJson ? JSON.parse(text) : undefined;
  if (isJson && path.startsWith('/api/v1')) expect(undocumented(method, path, response.statusCode, json)).toEqual([]);
  return { status: response.statusCode, headers: response.headers, text, json };
}

const groupPath = (id: string): string => `/api/v1/groups/${encodeURIComponent(id)}`;

function putGroup(id: string, document: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return ask(groupPath(id), { method: 'PUT', headers: { 'content-type': mediaType, ...headers }, body: document });
}

describe('without the token', () => {
  test('health, readiness and metrics are told', async () => {
    const without = { headers: { authorization: '' } };
    expect(await ask('/healthz', without)).toMatchObject({ status: 200, json: { status: 'ok' } });
    expect(await ask('/readyz', without)).toMatchObject({ status: 200, json: { status: 'ready' } });
    const metrics = await ask('/metrics', without);
    expect(metrics.status).toBe(200);
    expect(metrics.headers['content-type']).toMatch(/^text\/plain/);
    expect(metrics.text).toMatch(/^process_resident_memory_bytes \d+/m);
    expect(metrics.text).toMatch(/^mcgw_subscriptions 0$/m);
  });

  test.each([
    ['none', '', 'credentials-required'],
    ['another scheme', 'Basic b3BlcmF0b3I6b3BlcmF0b3I=', 'credentials-required'],
    ['a wrong token', 'Bearer operator-tokem', 'token-invalid'],
    ['a prefix of the token', `Bearer ${token.slice(0, -1)}`, 'token-invalid'],
  ])('RFC 6750 3: %s is 401 with a challenge, whatever the path', async (_what, authorization, code) => {
    for (const path of ['/api/v1/groups', '/api/v1/nothing']) {
      const answer = await ask(path, { headers: { authorization } });
      expect(answer).toMatchObject({ status: 401, json: { code } });
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    }
  });

  test('RFC 6750 2.3: a token in the query is not looked at', async () => {
    expect(await ask(`/api/v1/groups?access_token=${token}`, { headers: { authorization: '' } })).toMatchObject({
      status: 401,
    });
  });
});

test('metrics count requests by face, method and status, and changed documents', async () => {
  const id = 'sip:counted@red.example';
  await request(`${red.urls.xcap}/xcap-caps/global/index`);
  await putGroup(id, harbour.replaceAll(groupId, id));
  await ask(groupPath(id), { method: 'DELETE' });
  const { text } = await ask('/metrics');
  expect(text).toMatch(/^mcgw_http_requests_total\{face="xcap",method="GET",status="403"\} 1$/m);
  expect(text).toMatch(/^mcgw_http_request_seconds_count\{face="xcap",method="GET"\} 1$/m);
  expect(text).toMatch(/^mcgw_document_changes_total 2$/m);
});

describe('groups', () => {
  test('are created below the group creation XUI, listed, read, replaced and deleted, journalled as operator', async () => {
    const created = await putGroup(groupId, harbour);
    expect(created).toMatchObject({ status: 201, json: { groupId, created: true, changed: true } });
    const { tag } = created.json as { tag: string };
    expect(created.headers.etag).toBe(`"${tag}"`);

    const { groups } = (await ask('/api/v1/groups')).json as { groups: ListedGroup[] };
    expect(groups).toEqual([
      { groupId, home: true, tag, size: Buffer.byteLength(harbour), modified: expect.stringMatching(/Z$/) },
    ]);

    const document = await ask(groupPath(groupId), { headers: { accept: mediaType } });
    expect(document).toMatchObject({ status: 200, text: harbour });
    expect(document.headers['content-type']).toBe(mediaType);

    const facts = await ask(groupPath(groupId), { headers: { accept: 'application/json' } });
    expect(facts.json).toMatchObject({ groupId, home: true, tag, lists: [{ groupId, members: expect.any(Array) }] });

    const changed = harbour.replace('Harbour patrol', 'Harbour and coast patrol');
    expect(await putGroup(groupId, changed, { 'if-match': '"other"' })).toMatchObject({
      status: 412,
      json: { code: 'precondition-failed' },
    });
    expect(await putGroup(groupId, changed, { 'if-match': `"${tag}"` })).toMatchObject({
      status: 200,
      json: { created: false, changed: true },
    });
    expect(await putGroup(groupId, changed)).toMatchObject({ status: 200, json: { changed: false } });

    expect(await ask(groupPath(groupId), { method: 'DELETE' })).toMatchObject({ status: 200, json: { deleted: true } });
    expect(await ask(groupPath(groupId))).toMatchObject({ status: 404, json: { code: 'not-found' } });

    const { entries } = (await ask('/api/v1/journal')).json as { entries: { actor: string; action: string }[] };
    const own = entries.filter(({ actor }) => actor === 'operator').map(({ action }) => action);
    expect(own).toEqual(expect.arrayContaining(['document-put', 'document-delete']));
  });

  test.each<[rule: string, status: number, code: string, id: string, document: () => string]>([
    ['a group of another system', 404, 'group-not-homed-here', 'sip:x@blue.example', () => harbour],
    ['a document of another group', 409, 'uniqueness-failure', 'sip:other@red.example', () => harbour],
    ['a document that is no XML', 409, 'not-well-formed', groupId, () => harbour.slice(0, -20)],
    [
      'a document that breaks the schema',
      409,
      'schema-validation-error',
      groupId,
      () => harbour.replace(/list-service/g, 'lst'),
    ],
    ['no document', 409, 'not-well-formed', groupId, () => ''],
    ['an ID that is no URI', 400, 'bad-request', 'harbour', () => harbour],
  ])('%s is refused and nothing is stored', async (_rule, status, code, id, document) => {
    expect(await putGroup(id, document())).toMatchObject({ status, json: { code, phrase: expect.any(String) } });
    expect((await ask('/api/v1/groups')).json).toEqual({ groups: [] });
  });

  test('a body above limits.documentBytes is 413', async () => {
    const answer = await putGroup(groupId, 'x'.repeat(4 * 1024 * 1024 + 1));
    expect(answer).toMatchObject({ status: 413, json: { code: 'document-too-large' } });
  });

  test('pages follow each other without gap or repetition', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e'].map((name) => `sip:page-${name}@red.example`);
    for (const id of ids) await putGroup(id, harbour.replaceAll(groupId, id));
    const seen: string[] = [];
    let after = '';
    do {
      const page = (await ask(`/api/v1/groups?limit=2${after}`)).json as { groups: ListedGroup[]; next?: string };
      expect(page.groups.length).toBeLessThanOrEqual(2);
      seen.push(...page.groups.map((group) => group.groupId));
      after = page.next === undefined ? '' : `&after=${page.next}`;
    } while (after !== '');
    expect(seen.sort()).toEqual(ids);
    for (const id of ids) await ask(groupPath(id), { method: 'DELETE' });
  });

  test.each(['limit=x', 'limit=10001', 'after=x', 'partner=', 'limit=1&limit=2'])('?%s is 400', async (query) => {
    expect(await ask(`/api/v1/groups?${query}`)).toMatchObject({ status: 400, json: { code: 'bad-request' } });
  });

  test('RFC 9110 15.5.6: another method is 405 with Allow', async () => {
    const answer = await ask(groupPath(groupId), { method: 'PATCH' });
    expect(answer).toMatchObject({ status: 405, json: { code: 'method-not-allowed' } });
    expect(answer.headers.allow).toBe('GET, HEAD, PUT, DELETE');
  });
});

describe('what is no resource or cannot be understood', () => {
  test.each(['/', '/api/v1', '/api/v1/nothing', '/api/v2/groups'])('%s is 404', async (path) => {
    expect(await ask(path)).toMatchObject({ status: 404, json: { code: 'not-found' } });
  });

  test.each([
    ['no JSON', '{', 'application/json', 'bad-request'],
    ['no group', '{}', 'application/json', 'bad-request'],
    ['both', JSON.stringify({ groupId, groups: '*' }), 'application/json', 'bad-request'],
  ])('a pull with %s is 400', async (_what, body, contentType, code) => {
    const asked = { method: 'POST', headers: { 'content-type': contentType }, body } as const;
    expect(await ask('/api/v1/partners/blue/pull', asked)).toMatchObject({ status: 400, json: { code } });
  });

  test('RFC 9110 15.5.16: a pull with another media type is 415', async () => {
    const asked = {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: JSON.stringify({ groupId }),
    } as const;
    const code = 'unsupported-media-type';
    expect(await ask('/api/v1/partners/blue/pull', asked)).toMatchObject({ status: 415, json: { code } });
  });

  test('a percent sign that encodes nothing is 400', async () => {
    expect(await ask('/api/v1/groups/%zz')).toMatchObject({ status: 400, json: { code: 'bad-request' } });
  });

  test('an unknown partner is 404', async () => {
    const asked = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ groupId }),
    };
    expect(await ask('/api/v1/partners/green/push', asked as Asked)).toMatchObject({
      status: 404,
      json: { code: 'partner-unknown' },
    });
  });
});

describe('two systems', () => {
  let primary: TestGateway;
  let partner: TestGateway;
  const post = (path: string, gateway: TestGateway): Promise<Answer> =>
    ask(
      path,
      { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ groupId }) },
      gateway,
    );

  beforeAll(async () => {
    const waiting = await runGateway(redConfiguration());
    const root = waiting.urls.interconnect;
    partner = await runGateway(blueConfiguration(root));
    primary = waiting;
    await primary.reload(
      await primary.changed((configuration) => ({
        ...configuration,
        partners: (redConfiguration(partner.urls.interconnect) as { partners: unknown }).partners,
      })),
    );
  });
  afterAll(async () => {
    await primary.close();
    await partner.close();
  });

  test('TS 23.280 10.2.7: a pull requests the group from its home and stores it', async () => {
    await ask(groupPath(groupId), { method: 'PUT', headers: { 'content-type': mediaType }, body: harbour }, primary);
    const pulled = await post('/api/v1/partners/red/pull', partner);
    expect(pulled).toMatchObject({ status: 200, json: { groupId } });
    const { groups } = (await ask('/api/v1/groups?partner=red', {}, partner)).json as { groups: ListedGroup[] };
    expect(groups).toEqual([expect.objectContaining({ groupId, home: false, partner: 'red', policy: 'none' })]);
    const { partners } = (await ask('/api/v1/partners', {}, partner)).json as { partners: ListedPartner[] };
    expect(partners).toEqual([expect.objectContaining({ name: 'red', active: true, groupsHeld: 1, groupsStale: 0 })]);
  });

  test('accept: manual: what waits is listed and served after its release', async () => {
    const id = 'sip:held@red.example';
    const document = harbour.replaceAll(groupId, id);
    const agreement = { theyProvide: [], weRequest: [{ groups: 'sip:*@red.example' }] };
    const reloaded = (accept: string) =>
      partner.changed((configuration) => {
        const [red] = configuration.partners as [object];
        return { ...configuration, partners: [{ ...red, agreement: { ...agreement, accept } }] };
      });
    await partner.reload(await reloaded('manual'));
    await ask(groupPath(id), { method: 'PUT', headers: { 'content-type': mediaType }, body: document }, primary);
    const body = JSON.stringify({ groupId: id });
    await ask(
      '/api/v1/partners/red/pull',
      { method: 'POST', headers: { 'content-type': 'application/json' }, body },
      partner,
    );
    expect((await ask(groupPath(id), {}, partner)).status).toBe(404);
    const { held } = (await ask('/api/v1/groups?held=true', {}, partner)).json as { held: HeldGroup[] };
    expect(held).toEqual([
      {
        groupId: id,
        partner: 'red',
        sourceTag: expect.any(String),
        policy: 'none',
        policyVersion: 0,
        heldSince: expect.stringMatching(/Z$/),
      },
    ]);
    const release = { method: 'POST' } as const;
    expect(await ask(`${groupPath(id)}/release`, release, partner)).toMatchObject({
      status: 200,
      json: { groupId: id, changed: true },
    });
    expect((await ask(groupPath(id), {}, partner)).status).toBe(200);
    expect(await ask(`${groupPath(id)}/release`, release, partner)).toMatchObject({ status: 404 });
    await ask(groupPath(id), { method: 'DELETE' }, primary);
    await ask(
      '/api/v1/partners/red/pull',
      { method: 'POST', headers: { 'content-type': 'application/json' }, body },
      partner,
    );
    await partner.reload(await reloaded('automatic'));
  });

  test('a foreign group is neither written nor deleted here', async () => {
    const put = { method: 'PUT', headers: { 'content-type': mediaType }, body: harbour } as const;
    expect(await ask(groupPath(groupId), put, partner)).toMatchObject({ json: { code: 'group-not-homed-here' } });
    expect(await ask(groupPath(groupId), { method: 'DELETE' }, partner)).toMatchObject({
      json: { code: 'group-not-homed-here' },
    });
    expect(await ask(groupPath(groupId), {}, partner)).toMatchObject({ status: 200 });
  });

  test('a pull from a partner that is not the home of the group is refused', async () => {
    const body = JSON.stringify({ groupId: 'sip:x@green.example' });
    const asked = { method: 'POST', headers: { 'content-type': 'application/json' }, body } as const;
    expect(await ask('/api/v1/partners/red/pull', asked, partner)).toMatchObject({
      status: 403,
      json: { code: 'partner-not-authoritative' },
    });
  });

  test('TS 23.280 10.2.7: a push queues a delivery, which can be dropped', async () => {
    expect(await post('/api/v1/partners/blue/push', primary)).toMatchObject({
      status: 202,
      json: { partner: 'blue', groupId, action: 'provide' },
    });
    const path = `/api/v1/deliveries/blue/${encodeURIComponent(groupId)}`;
    const { deliveries } = (await ask('/api/v1/deliveries?partner=blue', {}, primary)).json as {
      deliveries: ListedDelivery[];
    };
    expect(deliveries).toContainEqual(expect.objectContaining({ partner: 'blue', groupId }));
    const { partners } = (await ask('/api/v1/partners', {}, primary)).json as { partners: ListedPartner[] };
    expect(Object.keys(partners[0]?.deliveries ?? {})).toEqual(
      expect.arrayContaining(['queued', 'inFlight', 'delivered', 'parked', 'braked', 'circuit']),
    );
    const metrics = (await ask('/metrics', {}, primary)).text;
    for (const state of ['queued', 'in_flight', 'delivered', 'parked', 'braked']) {
      expect(metrics).toMatch(new RegExp(`^mcgw_deliveries\\{partner="blue",state="${state}"\\} \\d+$`, 'm'));
    }
    expect(metrics).toMatch(/^mcgw_delivery_oldest_seconds\{partner="blue"\} [\d.]+$/m);
    expect(metrics).toMatch(/^mcgw_delivery_circuit_open\{partner="blue"\} (0|0\.5|1)$/m);
    expect(metrics).toMatch(/^mcgw_delivery_seconds_count\{partner="blue",outcome="accepted"\} \d+$/m);
    expect((await ask('/metrics', {}, partner)).text).toMatch(/^mcgw_foreign_groups\{partner="red",state="all"\} 1$/m);
    expect(await ask(path, { method: 'DELETE' }, primary)).toMatchObject({ status: 200, json: { dropped: true } });
    expect(await ask(path, { method: 'DELETE' }, primary)).toMatchObject({ status: 404, json: { code: 'not-found' } });
    expect((await ask('/api/v1/deliveries?state=parcelled', {}, primary)).status).toBe(400);
  });
});

describe('requests that do not fit', () => {
  const id = encodeURIComponent(groupId);
  test.each([
    ['/healthz', 'POST', 'GET, HEAD'],
    ['/metrics', 'DELETE', 'GET, HEAD'],
    ['/api/v1/groups', 'POST', 'GET, HEAD'],
    [`/api/v1/groups/${id}`, 'POST', 'GET, HEAD, PUT, DELETE'],
    [`/api/v1/groups/${id}/release`, 'GET', 'POST'],
    ['/api/v1/partners', 'DELETE', 'GET, HEAD'],
    ['/api/v1/partners/blue/pull', 'PUT', 'GET, HEAD, POST'],
    ['/api/v1/partners/blue/push', 'GET', 'POST'],
    ['/api/v1/deliveries', 'POST', 'GET, HEAD'],
    ['/api/v1/deliveries/blue/release', 'GET', 'POST'],
    [`/api/v1/deliveries/blue/${id}`, 'PUT', 'DELETE'],
    [`/api/v1/deliveries/blue/${id}/retry`, 'GET', 'POST'],
    ['/api/v1/subscriptions', 'POST', 'GET, HEAD'],
    ['/api/v1/journal', 'DELETE', 'GET, HEAD'],
  ] as const)('RFC 9110 15.5.6: %s with %s is 405 with the methods it has', async (path, method, allow) => {
    const answer = await ask(path, { method });
    expect(answer).toMatchObject({ status: 405, json: { code: 'method-not-allowed' } });
    expect(answer.headers.allow).toBe(allow);
  });

  test.each([
    ['/api/v1/groups?patner=blue', 'patner'],
    ['/api/v1/groups?held=maybe', 'held'],
    ['/api/v1/groups?partner=', 'partner'],
    ['/api/v1/groups?%zz=1', '%zz'],
    [`/api/v1/groups/${id}?version=1`, 'version'],
    ['/api/v1/deliveries?state=queued&state=parked', 'state'],
    ['/api/v1/journal?limit=many', 'limit'],
    ['/api/v1/journal?snce=2026-01-01', 'snce'],
    ['/api/v1/subscriptions?partner=blue', 'partner'],
  ])('%s is 400 and names %s', async (path, name) => {
    const answer = await ask(path);
    expect(answer).toMatchObject({ status: 400, json: { code: 'bad-request' } });
    expect((answer.json as { phrase: string }).phrase).toContain(name);
  });

  test('RFC 9110 15.5.16: a group as text/plain is 415 and not stored', async () => {
    const other = 'sip:plain@red.example';
    const document = harbour.replaceAll(groupId, other);
    expect(await putGroup(other, document, { 'content-type': 'text/plain' })).toMatchObject({
      status: 415,
      json: { code: 'unsupported-media-type' },
    });
    expect((await ask(groupPath(other))).status).toBe(404);
    expect((await putGroup(other, document, { 'content-type': 'application/xml; charset=utf-8' })).status).toBe(201);
    await ask(groupPath(other), { method: 'DELETE' });
  });
});

test('a stopped gateway accepts no more', async () => {
  const gateway = await runGateway(redConfiguration());
  const url = gateway.urls.manage;
  const answers = Promise.allSettled([request(`${url}/readyz`).then(({ statusCode }) => statusCode)]);
  expect(await answers).toEqual([{ status: 'fulfilled', value: 200 }]);
  await gateway.close();
  await expect(request(`${url}/readyz`)).rejects.toThrow(/ECONNREFUSED|closed|other side/);
});
