// The management API against requests that are wrong, odd or meant to do harm, by callers with and without a token and by an operator
// who is limited to groups: each gets a refusal that says why, and nothing is done.
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { redConfiguration, runGateway, type TestGateway, token } from '../gateway/gateway.testkit.ts';

const limited = 'ines-token-1';
const mediaType = 'application/vnd.oma.poc.groups+xml';
const groupId = 'sip:harbour-tg1@red.example';

let red: TestGateway;
let harbour: string;

beforeAll(async () => {
  const manage = {
    listen: { port: 0 },
    token,
    operators: [{ name: 'ines', token: limited, groups: ['sip:harbour-*@red.example'] }],
  };
  red = await runGateway({ ...redConfiguration(), manage });
  harbour = await readFile(new URL('../../config/groups/harbour-tg1.xml', import.meta.url), 'utf8');
});
afterAll(() => red.close());

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly json: { readonly code?: string; readonly phrase?: string };
}

/** Sends octets as they are and takes what comes until the end. */
function raw(octets: string | Buffer): Promise<Answer> {
  const { hostname, port } = new URL(red.urls.manage ?? '');
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    socket.once('error', reject);
    socket.once('close', () => {
      const body = text.slice(text.indexOf('\r\n\r\n') + 4);
      const json = body.startsWith('{') ? (JSON.parse(body) as Answer['json']) : {};
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text, json });
    });
    socket.write(octets);
  });
}

interface Asked {
  readonly headers?: string;
  readonly type?: string;
  readonly body?: string | Buffer;
  readonly as?: string;
}

function ask(method: string, path: string, { headers = '', type, body, as = token }: Asked = {}): Promise<Answer> {
  const octets = Buffer.from(body ?? '');
  const contentType = type === undefined ? '' : `Content-Type: ${type}\r\n`;
  const length = body === undefined ? '' : `Content-Length: ${octets.length}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${as}\r\n${headers}${contentType}${length}\r\n`;
  return raw(Buffer.concat([Buffer.from(head), octets]));
}

const json = 'application/json';
const groupPath = (id: string): string => `/api/v1/groups/${encodeURIComponent(id)}`;
const put = (id: string, more: Asked = {}): Promise<Answer> =>
  ask('PUT', groupPath(id), { type: mediaType, body: harbour.replaceAll(groupId, id), ...more });

describe('bodies', () => {
  test.each<[string, string | Buffer, string | undefined, number, string]>([
    ['JSON that breaks off', '{', json, 400, 'The body is no JSON'],
    ['null', 'null', json, 400, 'The body must be a JSON object'],
    ['a text', '"x"', json, 400, 'The body must be a JSON object'],
    ['a list', '[]', json, 400, 'The body must be a JSON object'],
    ['nothing', '', json, 400, 'The body must be JSON with a groupId'],
    ['another type', '{"groupId":"sip:a@red.example"}', 'text/plain', 415, 'The body must be application/json'],
    ['a form', 'groupId=x', 'application/x-www-form-urlencoded', 415, 'The body must be application/json'],
    ['a member that is misspelt', '{"groupID":"x"}', json, 400, 'Unknown member "groupID": there are groupId'],
    [
      'a member of objects',
      '{"__proto__":{"groupId":"x"}}',
      json,
      400,
      'Unknown member "__proto__": there are groupId',
    ],
    ['a number', '{"groupId":5}', json, 400, 'The body must be JSON with a groupId'],
    ['half a character', '{"groupId":"sip:\\ud800@red.example"}', json, 400, 'The group ID is no URI'],
    ['a NUL', '{"groupId":"sip:a\\u0000@red.example"}', json, 400, 'The group ID is no URI'],
    ['too much', `{"groupId":"${'a'.repeat(20_000)}"}`, json, 413, 'The body is larger than this server accepts'],
    ['lists in each other', `${'['.repeat(8000)}${']'.repeat(8000)}`, json, 400, 'The body must be a JSON object'],
    ['what is not deflated', 'xxx', `${json}\r\nContent-Encoding: gzip`, 400, 'The request cannot be understood'],
  ])('%s', async (_what, body, type, status, phrase) => {
    const answer = await ask('POST', '/api/v1/partners/blue/push', { body, ...(type === undefined ? {} : { type }) });
    expect([answer.status, answer.json.phrase]).toEqual([status, phrase]);
  });

  test('what is misspelt or of another type never widens what is done', async () => {
    const reconcile = (body: string, type = json): Promise<Answer> =>
      ask('POST', '/api/v1/partners/blue/reconcile', { body, type });
    expect((await reconcile('{"group":"sip:a@red.example","repair":true}')).json.phrase).toBe(
      'Unknown member "group": there are groups, repair',
    );
    expect((await reconcile('{"groups":"sip:a@red.example","repair":true}', 'text/json')).status).toBe(415);
    expect((await ask('GET', '/api/v1/partners/blue/reconcile')).status).toBe(404);
    const pull = await ask('POST', '/api/v1/partners/blue/pull', { type: json, body: '{"groupId":"x","groups":"*"}' });
    expect(pull.json.phrase).toBe('The body must have either groupId or groups');
    const release = await ask('POST', '/api/v1/deliveries/blue/release', { type: json, body: '{"groupId":"x"}' });
    expect(release.json.phrase).toBe('Unknown member "groupId": there are none here');
    const plan = { policy: 'x', source: { file: 'x', text: 'x', file5: '' } };
    const planned = await ask('POST', '/api/v1/policies/plan', { type: json, body: JSON.stringify(plan) });
    expect(planned.json.phrase).toBe('Unknown member "policy": there are source, partner, direction');
    const inner = { source: { file: 'x', text: 'x', filse: {} } };
    const nested = await ask('POST', '/api/v1/policies/plan', { type: json, body: JSON.stringify(inner) });
    expect(nested.json.phrase).toBe('Unknown member "source.filse": there are file, text, files');
  });

  test('a media type with a suffix or parameters is JSON, and so is a body without one', async () => {
    for (const type of [`${json};charset=utf-8`, 'application/vnd.x+json', undefined]) {
      const body = '{"groupId":"sip:none@red.example"}';
      const answer = await ask('POST', '/api/v1/partners/blue/push', { body, ...(type === undefined ? {} : { type }) });
      expect([type, answer.json.code]).toEqual([type, 'group-not-homed-here']);
    }
  });

  test.each([
    ['of another type', { type: json }, 415],
    ['that is empty', { body: '' }, 409],
    ['with a document type', { body: '<!DOCTYPE group [<!ENTITY a "b">]><group/>' }, 409],
    ['that is larger than limits.documentBytes', { body: 'x'.repeat(4 * 1024 * 1024 + 1) }, 413],
  ])('a group document %s', async (_what, asked, status) => {
    expect((await put(groupId, asked)).status).toBe(status);
    expect((await ask('GET', groupPath(groupId))).status).toBe(404);
  });
});

describe('paths', () => {
  test.each([
    ['/api/v1/../v1/groups', 404],
    ['/api/v1//groups', 404],
    ['/API/v1/groups', 404],
    ['/api/v1/Groups', 404],
    ['/Healthz', 404],
    ['/api/v1/groups%2F', 404],
    ['/api%2Fv1/groups', 404],
    ['/api/v1/groups;x', 404],
    ['/api/v1/groups/%', 400],
    ['/api/v1/groups/%ff', 400],
    ['/api/v1/groups/%00', 400],
    ['/api/v1/groups/sip%3Aa%40red.example%0d%0aX:%20y', 400],
    ['/api/v1/partners/__proto__/pull', 404],
    ['/api/v1/groups?__proto__=1', 400],
    ['/api/v1/groups?limit=1&limit=2', 400],
    ['/api/v1/groups?after=WyJhIl0', 400],
    [`/api/v1/groups/${'a'.repeat(20_000)}`, 431],
  ])('%.40s is %d', async (path, status) => {
    const answer = await ask('GET', path);
    expect([answer.status, typeof answer.json.code]).toEqual([status, 'string']);
  });

  test('RFC 9112 3.2.2: a target in absolute form means the same', async () => {
    expect((await ask('GET', 'http://elsewhere.example/api/v1/groups')).status).toBe(200);
  });
});

test('the name of a partner that nobody knows is told with those that there are', async () => {
  for (const [method, path] of [
    ['GET', '/api/v1/groups?partner=nobody'],
    ['GET', '/api/v1/deliveries?partner=nobody'],
    ['GET', '/api/v1/provenance?partner=nobody'],
    ['DELETE', '/api/v1/partners/nobody'],
    ['POST', '/api/v1/partners/nobody/test'],
    ['POST', '/api/v1/deliveries/nobody/release'],
    ['POST', '/api/v1/deliveries/nobody/sip%3Aa%40red.example/retry'],
    ['DELETE', '/api/v1/deliveries/nobody/sip%3Aa%40red.example'],
  ] as const) {
    const { status, json: told } = await ask(method, path);
    expect([method, path, status, told]).toEqual([
      method,
      path,
      404,
      { code: 'partner-unknown', phrase: 'No partner nobody: there are blue' },
    ]);
  }
});

describe('tokens', () => {
  const bearer = `Authorization: Bearer ${token}\r\n`;
  test.each([
    ['twice', `${bearer}${bearer}`, 400, 'bad-request'],
    ['of two operators', `Authorization: Bearer ${limited}\r\n${bearer}`, 400, 'bad-request'],
    ['behind a scheme of two', `Authorization: Basic x, Bearer ${token}\r\n`, 401, 'credentials-required'],
    ['in quotes', `Authorization: Bearer "${token}"\r\n`, 401, 'token-invalid'],
    ['with more behind it', `Authorization: Bearer ${token} ${token}\r\n`, 401, 'credentials-required'],
    ['in another field', `Proxy-Authorization: Bearer ${token}\r\n`, 401, 'credentials-required'],
    ['of 15,000 characters', `Authorization: Bearer ${'a'.repeat(15_000)}\r\n`, 401, 'token-invalid'],
    ['with a NUL', `Authorization: Bearer ${token}\0\r\n`, 400, 'bad-request'],
    ['in a folded field', `Authorization: Bearer\r\n ${token}\r\n`, 400, 'bad-request'],
  ])('RFC 6750 2.1: %s', async (_what, headers, status, code) => {
    const answer = await raw(`GET /api/v1/groups HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(answer.text).toContain('Connection: close');
  });
});

test('250 connections that say nothing keep nobody out who has a token', async () => {
  const { hostname, port } = new URL(red.urls.manage ?? '');
  const held = Array.from({ length: 250 }, () => connect({ host: hostname, port: Number(port) }));
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  for (const socket of held) socket.on('error', () => undefined);
  expect((await ask('GET', '/api/v1/groups')).status).toBe(200);
  expect((await ask('GET', '/api/v1/groups', { as: limited })).status).toBe(200);
  for (const socket of held) socket.destroy();
});

describe('conditions', () => {
  test('RFC 9110 13.1.1: a weak tag never fits If-Match; what is no list is refused', async () => {
    const id = 'sip:harbour-conditions@red.example';
    expect((await put(id, { headers: 'If-None-Match: *\r\n' })).status).toBe(201);
    const { tag } = (await ask('GET', groupPath(id))).json as { readonly tag?: string };
    expect((await put(id, { headers: `If-Match: W/"${tag}"\r\n` })).status).toBe(412);
    expect((await put(id, { headers: `If-Match: "a" , "${tag}"\r\n` })).status).toBe(200);
    expect((await put(id, { headers: `If-None-Match: W/"${tag}"\r\n` })).status).toBe(412);
    for (const value of ['x', `"${tag}", x`, '', '"a" "b"', '*, "a"']) {
      expect([value, (await put(id, { headers: `If-Match: ${value}\r\n` })).status]).toEqual([value, 400]);
    }
    expect((await ask('DELETE', groupPath(id), { headers: `If-Match: W/"${tag}"\r\n` })).status).toBe(412);
    expect((await ask('DELETE', groupPath(id), { headers: `If-Match: "${tag}"\r\n` })).status).toBe(200);
  });
});

describe('identifiers', () => {
  test.each([
    ['letters beyond ASCII', 'sip:hafen-ü@red.example', 'sip:hafen-%C3%BC@red.example'],
    ['a sign that turns the direction', 'sip:hafen-\u202e@red.example', 'sip:hafen-%E2%80%AE@red.example'],
    ['beyond the first plane', 'sip:hafen-😀@red.example', 'sip:hafen-%F0%9F%98%80@red.example'],
    ['dots alone', 'sip:..@red.example', 'sip:..@red.example'],
    ['3,000 characters', `sip:${'x'.repeat(3000)}@red.example`, `sip:${'x'.repeat(3000)}@red.example`],
  ])('%s are an ID like any other', async (_what, id, canonical) => {
    const created = await put(id);
    expect([created.status, created.json]).toMatchObject([201, { groupId: canonical }]);
    expect((await put(canonical)).status).toBe(200);
    expect((await ask('GET', groupPath(id))).json).toMatchObject({ groupId: canonical, home: true });
    expect((await ask('DELETE', groupPath(canonical))).status).toBe(200);
  });

  test.each(['sip:a b@red.example', 'sip:<x>@red.example', 'sip:"@red.example', 'harbour', ''])(
    'RFC 3261 25.1: %p is no ID',
    async (id) => {
      // The empty one is the path of the list
      expect((await put(id)).status).toBe(id === '' ? 405 : 400);
    },
  );
});

describe('an operator who is limited to groups', () => {
  const own = 'sip:harbour-9@red.example';
  const other = 'sip:border-9@red.example';

  test('gets nothing that is not about them, in whatever way it is asked', async () => {
    expect((await put(other)).status).toBe(201);
    const refused: readonly (readonly [string, string, Asked?])[] = [
      ['PUT', groupPath(other), { type: mediaType, body: harbour.replaceAll(groupId, other) }],
      ['GET', groupPath(other)],
      ['HEAD', groupPath(other)],
      ['DELETE', groupPath(other)],
      ['GET', `/api/v1/groups/${encodeURIComponent('SIP:border-9@RED.example')}`],
      ['GET', '/api/v1/journal'],
      ['HEAD', '/api/v1/journal'],
      ['GET', '/api/v1/journal/'],
      ['GET', '/api/v1/journal/export'],
      ['POST', '/api/v1/journal/erasure', { type: json, body: '{"person":"sip:a@red.example"}' }],
      ['POST', '/api/v1/partners/blue/push', { type: json, body: JSON.stringify({ groupId: other }) }],
      ['POST', '/api/v1/partners/blue/pull', { type: json, body: '{"groups":"sip:harbour-*@red.example"}' }],
      ['POST', '/api/v1/partners/blue/reconcile', { type: json, body: '{}' }],
      ['POST', '/api/v1/partners/blue/test'],
      ['DELETE', '/api/v1/partners/blue'],
      ['POST', '/api/v1/deliveries/blue/release'],
      ['POST', `/api/v1/deliveries/blue/${encodeURIComponent(other)}/retry`],
      ['DELETE', `/api/v1/deliveries/blue/${encodeURIComponent(other)}`],
      ['GET', '/api/v1/subscriptions'],
      ['GET', '/api/v1/policies'],
      ['POST', '/api/v1/policies/activate', { type: json, body: '{"partner":"blue"}' }],
      ['GET', '/api/v1/provenance'],
      ['GET', '/api/v1/overlays'],
    ];
    for (const [method, path, asked] of refused) {
      const { status } = await ask(method, path, { ...asked, as: limited });
      expect([method, path, status]).toEqual([method, path, 403]);
    }
    expect((await ask('GET', '/api/v1/groups', { as: limited })).json).toEqual({ groups: [] });
    expect((await ask('GET', groupPath(other))).status).toBe(200);
  });

  test('cannot put a group under an ID of its own that is in truth another', async () => {
    const disguised = await put(own, { as: limited, body: harbour.replaceAll(groupId, other) });
    expect(disguised).toMatchObject({ status: 409, json: { code: 'uniqueness-failure' } });
    const encoded = await ask('PUT', '/api/v1/groups/sip%3Aharbour-9%40red.example%2F..%2Fx', {
      as: limited,
      type: mediaType,
      body: harbour,
    });
    expect(encoded.status).toBe(403);
  });
});

test('operations that contradict each other at once: each is done or refused, none fails, and the journal tells those that were done', async () => {
  const id = 'sip:harbour-contested@red.example';
  const path = groupPath(id);
  const delivery = `/api/v1/deliveries/blue/${encodeURIComponent(id)}`;
  const before = (await ask('GET', '/api/v1/journal?limit=1000')).json as { readonly entries?: readonly object[] };
  const asked = Array.from({ length: 8 }, (_, index) => [
    put(id, { body: harbour.replaceAll(groupId, id).replace('Harbour', `Harbour ${index}`) }),
    ask('POST', '/api/v1/partners/blue/push', { type: json, body: JSON.stringify({ groupId: id }) }),
    ask('POST', `${delivery}/retry`),
    ask('DELETE', delivery),
    ask('DELETE', path),
    ask('POST', `${delivery}/release`),
  ]);
  const answers = await Promise.all(asked.flat());
  expect(answers.filter(({ status }) => status === 0 || status >= 500)).toEqual([]);
  const { entries = [] } = (await ask('GET', `/api/v1/journal?subject=${encodeURIComponent(id)}&limit=1000`)).json as {
    readonly entries?: readonly { readonly action: string }[];
  };
  const count = (action: string): number => entries.filter((entry) => entry.action === action).length;
  const done = (index: number): number => answers.filter(({ status }, at) => at % 6 === index && status < 300).length;
  expect(before.entries?.length).toBeGreaterThan(0);
  expect([count('document-put'), count('delivery-dropped'), count('document-delete')]).toEqual([
    done(0),
    done(3),
    done(4),
  ]);
  expect([count('delivery-retried'), count('brake-released')]).toEqual([done(2), done(5)]);
});
