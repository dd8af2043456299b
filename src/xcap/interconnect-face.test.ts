// The interconnect face on the wire: who gets in, what exists for partners, and that the rest looks the same to all of them.
import type { ConnectionOptions } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Preconditions } from '../documents/documents.ts';
import { entityTag, preconditionsHold } from '../documents/entity-tag.ts';
import { authenticator, knownPartners } from '../identity/authenticate.ts';
import type { PartnerPrincipal } from '../identity/principal.ts';
import { Refusal } from '../refusals.ts';
import { StoreError } from '../store/store-error.ts';
import { type TestCertificate, testAuthority, testCertificate } from './certificates.testkit.ts';
import type { FaceLimits, HttpListener } from './http-listener.ts';
import { type InterconnectFaceOptions, startInterconnectFace } from './interconnect-face.ts';
import { partnerConfiguration } from './partner.testkit.ts';
import { exchange, keptLog, rawRequest, Wire, type WireAnswer } from './wire.testkit.ts';

const groupType = 'application/vnd.oma.poc.groups+xml';
const asserted = { 'X-3GPP-Asserted-Identity': '"sip:gms@red.example"' };
const put = { ...asserted, 'Content-Type': groupType };
const byGroupId = '/xcap-root/org.openmobilealliance.groups/global/byGroupID';
const fire = `${byGroupId}/sip:fire@red.example`;

let redCa: TestCertificate;
let greenCa: TestCertificate;
let strangeCa: TestCertificate;
let blue: TestCertificate;
let red: TestCertificate;
let log: ReturnType<typeof keptLog>;
let face: HttpListener;
let stored: Map<string, string>;
let calls: string[];
let failure: unknown;

beforeAll(async () => {
  [redCa, greenCa, strangeCa] = await Promise.all([
    testAuthority('red'),
    testAuthority('green'),
    testAuthority('strange'),
  ]);
  blue = await testCertificate(greenCa, { dns: ['gms.blue.example'] });
  red = await testCertificate(redCa, { dns: ['gms.red.example'] });
});

const groups: InterconnectFaceOptions['groups'] = {
  async acceptProvision(from, groupId, given, preconditions) {
    calls.push(`provision ${groupId} from ${from.partner}`);
    if (failure !== undefined) throw failure;
    if (groupId.endsWith('@blue.example')) throw new Refusal('forbidden', { cause: 'agreement' });
    const body = typeof given === 'function' ? await given() : given;
    const before = stored.get(groupId);
    if (!preconditionsHold(preconditions, before && entityTag(Buffer.from(before))))
      throw new Refusal('precondition-failed');
    stored.set(groupId, Buffer.from(body).toString());
    return { created: before === undefined, changed: true, tag: entityTag(body) };
  },
  async acceptWithdrawal(from: PartnerPrincipal, groupId: string, preconditions: Preconditions) {
    calls.push(`withdrawal ${groupId} from ${from.partner}`);
    const before = stored.get(groupId);
    if (before === undefined) throw new Refusal('not-found');
    if (!preconditionsHold(preconditions, entityTag(Buffer.from(before)))) throw new Refusal('precondition-failed');
    stored.delete(groupId);
  },
  async groupForPartner(from: PartnerPrincipal, groupId: string) {
    calls.push(`read ${groupId} by ${from.partner}`);
    if (failure !== undefined) throw failure;
    const text = stored.get(groupId);
    if (text === undefined) throw new Refusal('not-found');
    return { groupId, bytes: Buffer.from(text), tag: entityTag(Buffer.from(text)), modified: '2026-01-01T00:00:00Z' };
  },
};

async function startFace(limits: Partial<FaceLimits> = {}, tls = true): Promise<HttpListener> {
  const partners = knownPartners(
    [
      partnerConfiguration('red', { certificates: [{ san: 'gms.red.example' }] }),
      partnerConfiguration('green', { certificates: [{ san: 'gms.green.example' }] }),
    ],
    (partner) => (partner.name === 'red' ? redCa.cert : greenCa.cert),
  );
  const authenticate = authenticator({
    system: { servers: ['sip:mcptt@blue.example'], administrators: [{ id: 'sip:admin@blue.example' }] },
    identity: { trustedProxies: ['127.0.0.1'], missingCredentials: 403 },
    partners,
  });
  return startInterconnectFace({
    listen: {
      host: '127.0.0.1',
      port: 0,
      tls: tls ? { ...blue, clientCa: `${redCa.cert}\n${greenCa.cert}` } : undefined,
    },
    root: 'https://gms.blue.example/xcap-root',
    groups,
    authenticate: authenticate.partner,
    limits,
    log,
  });
}

beforeEach(async () => {
  log = keptLog();
  stored = new Map([['sip:fire@red.example', '<group/>']]);
  calls = [];
  failure = undefined;
  face = await startFace();
});
afterEach(() => face.close());

function as(certificate: TestCertificate | undefined): ConnectionOptions {
  return { ...certificate, ca: greenCa.cert, servername: 'gms.blue.example' };
}

function send(method: string, target: string, headers: Readonly<Record<string, string>> = asserted, body?: string) {
  return exchange(face.url, rawRequest(method, target, headers, body), as(red));
}

function withoutDate({ head, body }: WireAnswer): string {
  return head.replace(/^Date: .*\r\n/m, '') + body;
}

describe('who gets in: certificate and asserted identity of one partner', () => {
  const certificates: Record<string, () => Promise<TestCertificate | undefined>> = {
    'no certificate': async () => undefined,
    'a certificate of an unknown CA': () => testCertificate(strangeCa, { dns: ['gms.red.example'] }),
    'a certificate that signed itself': () => testAuthority('gms.red.example'),
    'an expired certificate': () => testCertificate(redCa, { dns: ['gms.red.example'] }, new Date(Date.now() - 60_000)),
    'a known CA, but an unknown name': () => testCertificate(redCa, { dns: ['gms.yellow.example'] }),
    'the name of red from the CA of green': () => testCertificate(greenCa, { dns: ['gms.red.example'] }),
    'the certificate of green': () => testCertificate(greenCa, { dns: ['gms.green.example'] }),
    'a name that only contains the right one': () => testCertificate(redCa, { dns: ['gms.red.example.evil.example'] }),
  };

  test.each(Object.keys(certificates))('%s is the same 403 for reads and writes, existing or not', async (name) => {
    const certificate = await certificates[name]?.();
    const seen = new Set<string>();
    for (const [method, target] of [
      ['GET', fire],
      ['GET', `${byGroupId}/sip:none@red.example`],
      ['GET', '/xcap-root/xcap-caps/global/index'],
      ['DELETE', fire],
      ['GET', '/%ff'],
    ] as const) {
      seen.add(withoutDate(await exchange(face.url, rawRequest(method, target, asserted), as(certificate))));
    }
    expect([...seen]).toEqual([expect.stringMatching(/^HTTP\/1\.1 403 Forbidden\r\n/)]);
    expect(calls).toEqual([]);
  });

  test.each([
    ['none', {}],
    ['the PSI of another partner', { 'X-3GPP-Asserted-Identity': 'sip:gms@green.example' }],
    ['one of our administrators', { 'X-3GPP-Asserted-Identity': 'sip:admin@blue.example' }],
    ['two at once', { 'X-3GPP-Asserted-Identity': 'sip:gms@red.example, sip:admin@blue.example' }],
    ['two fields that disagree', { ...asserted, 'P-Asserted-Identity': 'sip:admin@blue.example' }],
    ['a token beside it', { ...asserted, Authorization: 'Bearer x' }],
  ])('an asserted identity that is %s is 403', async (_name, headers) => {
    expect(await send('GET', fire, headers)).toMatchObject({ status: 403 });
    expect(calls).toEqual([]);
  });

  test('the true reason is in the log only', async () => {
    const answer = await send('GET', fire, { 'X-3GPP-Asserted-Identity': 'sip:gms@green.example' });
    expect(answer.body).toBe('credentials-refused: The credentials of the request are not accepted\n');
    expect(JSON.stringify(log.entries)).toContain('the asserted identity is not the PSI of red');
  });

  test.each([
    ['an expired certificate', 'vouches for: CERT_HAS_EXPIRED'],
    ['a certificate of an unknown CA', 'vouches for: UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['no certificate', 'vouches for"'],
  ])('why %s counts for nothing is in the log only', async (name, cause) => {
    const answer = await exchange(face.url, rawRequest('GET', fire, asserted), as(await certificates[name]?.()));
    expect(answer.body).toBe('credentials-refused: The credentials of the request are not accepted\n');
    expect(JSON.stringify(log.entries)).toContain(cause);
  });

  test('without TLS nobody is recognised', async () => {
    const plain = await startFace({}, false);
    expect(await exchange(plain.url, rawRequest('GET', fire, asserted))).toMatchObject({ status: 403 });
    await plain.close();
  });

  test('TLS 1.2 is the oldest', async () => {
    const old: ConnectionOptions = {
      ...as(red),
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    };
    await expect(Wire.open(face.url, old)).rejects.toThrow();
    const wire = await Wire.open(face.url, { ...as(red), maxVersion: 'TLSv1.2' });
    wire.write(rawRequest('GET', fire, asserted));
    expect(await wire.answer()).toMatchObject({ status: 200 });
    wire.destroy();
  });

  test('plain HTTP on the TLS port is no request', async () => {
    const wire = await Wire.open(face.url);
    wire.write(rawRequest('GET', fire, asserted));
    expect(await wire.rest()).not.toContain('200');
    expect(calls).toEqual([]);
  });
});

describe('TS 23.280 10.2.7: group information request', () => {
  test('a group is served as the partner may see it, with its tag', async () => {
    expect(await send('GET', fire)).toMatchObject({
      status: 200,
      body: '<group/>',
      headers: { 'content-type': groupType, etag: `"${entityTag(Buffer.from('<group/>'))}"`, 'content-length': '8' },
    });
    expect(calls).toEqual(['read sip:fire@red.example by red']);
  });

  test('HEAD, and 304 for the tag the partner holds', async () => {
    expect(await send('HEAD', fire)).toMatchObject({ status: 200, headers: { 'content-length': '8' }, body: '' });
    const tag = `"${entityTag(Buffer.from('<group/>'))}"`;
    expect(await send('GET', fire, { ...asserted, 'If-None-Match': tag })).toMatchObject({
      status: 304,
      headers: { etag: tag },
    });
  });

  test.each(['not-found', 'agreement-does-not-cover', 'no-member-of-partner', 'partner-unknown'] as const)(
    'what is outside the agreement (%s) is the same 404 to a read',
    async (code) => {
      const absent = withoutDate(await send('GET', `${byGroupId}/sip:none@red.example`));
      failure = new Refusal(code, { phrase: 'tell-tale', cause: 'the true reason' });
      const answer = await send('GET', fire);
      expect(withoutDate(answer)).toBe(absent);
      expect(answer).toMatchObject({ status: 404, body: 'not-found: No such resource\n' });
      expect(JSON.stringify(log.entries)).toContain('the true reason');
    },
  );

  test.each([
    ['agreement-not-active', 403],
    ['forbidden', 403],
    ['group-not-homed-here', 404],
  ] as const)(
    'what stands against it inside the agreement (%s) is told to a read, its cause is not',
    async (code, status) => {
      failure = new Refusal(code, { phrase: 'what is told', cause: 'the true reason' });
      expect(await send('GET', fire)).toMatchObject({ status, body: `${code}: what is told\n` });
      expect(JSON.stringify(log.entries)).toContain('the true reason');
    },
  );
});

describe('TS 23.280 10.2.7: group information provision', () => {
  test('201, then 200, each with the tag of the source and no content', async () => {
    const target = `${byGroupId}/sip%3Anew%40red.example`;
    expect(await send('PUT', target, { ...put, 'If-None-Match': '*' }, '<a/>')).toMatchObject({
      status: 201,
      body: '',
    });
    const answer = await send('PUT', target, put, '<b/>');
    expect(answer).toMatchObject({ status: 200, body: '', headers: { etag: `"${entityTag(Buffer.from('<b/>'))}"` } });
    expect(calls).toEqual(['provision sip:new@red.example from red', 'provision sip:new@red.example from red']);
  });

  test('preconditions compare the tag of the source', async () => {
    expect(await send('PUT', fire, { ...put, 'If-None-Match': '*' }, '<b/>')).toMatchObject({ status: 412 });
    expect(await send('PUT', fire, { ...put, 'If-Match': '"stale"' }, '<b/>')).toMatchObject({ status: 412 });
    expect(await send('DELETE', fire, { ...asserted, 'If-Match': '"stale"' })).toMatchObject({ status: 412 });
    expect(stored.get('sip:fire@red.example')).toBe('<group/>');
  });

  test('a wrong media type is 415, a body over the limit 413, and neither is stored', async () => {
    expect(await send('PUT', fire, { ...put, 'Content-Type': 'text/xml' }, '<b/>')).toMatchObject({ status: 415 });
    const small = await startFace({ documentBytes: 8 });
    const raw = rawRequest('PUT', fire, put, '<bbbbbb/>');
    expect(await exchange(small.url, raw, as(red))).toMatchObject({ status: 413 });
    await small.close();
    expect(stored.get('sip:fire@red.example')).toBe('<group/>');
  });

  test('outside the agreement a write is the same 403, whatever its media type, charset or range', async () => {
    const outside = `${byGroupId}/sip:any@blue.example`;
    for (const headers of [
      put,
      { ...put, 'Content-Type': 'text/xml' },
      { ...put, 'Content-Type': `${put['Content-Type']};charset=utf-16` },
      { ...put, 'Content-Range': 'bytes 0-3/9' },
      { ...put, 'If-Match': 'garbage' },
    ]) {
      expect(await send('PUT', outside, headers, '<b/>')).toMatchObject({
        status: 403,
        body: 'forbidden: The caller has no right to do this\n',
      });
    }
  });

  test('bodies in flight of one partner are bounded: 503 with Retry-After until they are gone', async () => {
    const small = await startFace({ documentBytes: 8, bodiesInFlightBytesPerCaller: 8 });
    const greedy = await Wire.open(small.url, as(red));
    greedy.write(rawRequest('PUT', fire, { ...put, Expect: '100-continue', 'Content-Length': '8' }));
    expect(await greedy.answer()).toMatchObject({ status: 100 });
    greedy.write('<group/');
    const another = () => exchange(small.url, rawRequest('PUT', fire, put, '<b/>'), as(red));
    let answer = await another();
    while (answer.status === 200) answer = await another();
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    greedy.write('>');
    expect(await greedy.answer()).toMatchObject({ status: 200 });
    expect(await another()).toMatchObject({ status: 200 });
    greedy.destroy();
    await small.close();
  });

  test('a refusal that the agreement lets us name is named', async () => {
    failure = new Refusal('constraint-failure', { phrase: 'group without owner' });
    const answer = await send('PUT', fire, put, '<b/>');
    expect(answer).toMatchObject({ status: 409, headers: { 'content-type': 'application/xcap-error+xml' } });
    expect(answer.body).toContain('phrase="group without owner"');
  });

  test('withdrawal is 200', async () => {
    expect(await send('DELETE', fire)).toMatchObject({ status: 200, body: '' });
    expect(stored.size).toBe(0);
    expect(await send('DELETE', fire)).toMatchObject({ status: 404 });
  });

  test('a fault of ours is 500 without any detail', async () => {
    failure = new Error('ENOENT /var/lib/blue.db');
    expect(await send('PUT', fire, put, '<b/>')).toMatchObject({
      status: 500,
      body: 'internal-error: The server failed\n',
    });
  });

  test('a store that fails or cannot be reached is 503 with a time to try again, and without any detail', async () => {
    failure = new StoreError('unreachable', 'the database at db.blue.example does not answer');
    expect(await send('PUT', fire, put, '<b/>')).toMatchObject({
      status: 503,
      headers: { 'retry-after': '5' },
      body: 'unavailable: The server cannot answer now, try again\n',
    });
  });
});

describe('what exists for partners', () => {
  test('RFC 4825 12: capabilities, of this face alone', async () => {
    const answer = await send('GET', '/xcap-root/xcap-caps/global/index');
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/xcap-caps+xml' } });
    expect(answer.body.match(/<auid>[^<]*/g)).toEqual(['<auid>org.openmobilealliance.groups', '<auid>xcap-caps']);
    expect(answer.body).toContain('<namespace>urn:ietf:params:xml:ns:xcap-caps</namespace>');
  });

  test.each([
    '/',
    '/xcap-root/',
    '/elsewhere',
    '/xcap-root/unknown-usage/global/index',
    '/xcap-root/resource-lists/users/sip:ines@blue.example/index',
    '/xcap-root/org.openmobilealliance.groups/users/sip:groups@blue.example/harbour.xml',
    '/xcap-root/org.openmobilealliance.groups/users/sip:groups@red.example/harbour.xml',
    '/xcap-root/org.openmobilealliance.xcap-directory/users/sip:ines@blue.example/directory.xml',
    '/xcap-root/org.openmobilealliance.groups/global/index',
    '/xcap-root/xcap-caps/users/sip:ines@blue.example/index',
    byGroupId,
    `${byGroupId}/`,
    `${byGroupId}/not-a-uri`,
    `${fire}/~~/group`,
    `${fire}/x`,
    '/xcap-root/%00',
    '/xcap-root/%ff',
    '/xcap-root/../etc/passwd',
  ])('GET %s is the uniform 404, PUT the uniform 403', async (target) => {
    expect(await send('GET', target)).toMatchObject({ status: 404, body: 'not-found: No such resource\n' });
    expect(await send('PUT', target, put, '<a/>')).toMatchObject({
      status: 403,
      body: 'forbidden: The caller has no right to do this\n',
    });
    expect(calls).toEqual([]);
  });

  test.each(['POST', 'PATCH', 'OPTIONS', 'TRACE'])('%s is the uniform 403', async (method) => {
    expect(await send(method, fire, put, '<a/>')).toMatchObject({
      status: 403,
      body: expect.stringMatching(/^forbidden: /),
    });
  });

  test('no answer names hosts, software or addresses', async () => {
    for (const answer of [await send('GET', fire), await send('GET', '/x'), await send('PUT', fire, put, '<b/>')]) {
      expect(answer.head).not.toMatch(/server|via|powered|node|127\.0\.0\.1|localhost|blue\.example/i);
    }
  });
});

describe('RFC 9110 10.1.1: a body is asked for only from those who may send it', () => {
  test.each([
    ['a stranger', () => undefined, fire, 403],
    [
      'the partner outside the agreement',
      () => red,
      `${fire.slice(0, fire.lastIndexOf('/'))}/sip:own@blue.example`,
      403,
    ],
    ['the partner', () => red, fire, 100],
  ])('%s', async (_name, certificate, target, status) => {
    const wire = await Wire.open(face.url, as(certificate()));
    wire.write(rawRequest('PUT', target, { ...put, Expect: '100-continue', 'Content-Length': '4' }));
    expect(await wire.answer()).toMatchObject({ status });
    wire.destroy();
  });
});

describe('what a partner may cost, and what it may read of its own', () => {
  const cheap = { ...groups };
  const facing = groups as {
    -readonly [name in keyof InterconnectFaceOptions['groups']]: InterconnectFaceOptions['groups'][name];
  };
  afterEach(() => {
    for (const name of ['admitRequest', 'admitConnection', 'copyForPartner', 'directoryForPartner'] as const)
      delete facing[name];
    Object.assign(facing, cheap);
  });

  test('RFC 6585 4: too many requests are 429 with Retry-After, before anything else is looked at', async () => {
    let ended = 0;
    facing.admitRequest = () => () => {
      ended += 1;
    };
    expect((await send('GET', fire)).status).toBe(200);
    expect(ended).toBe(1);
    facing.admitRequest = () => {
      throw new Refusal('rate-exceeded', { retryAfter: 3, cause: 'limit' });
    };
    const answer = await send('GET', fire);
    expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '3' } });
    expect(calls).toHaveLength(1);
  });

  test('one connection too many is 503 and ends; those that are open go on', async () => {
    const counted: number[] = [];
    facing.admitConnection = (_from, open) => {
      counted.push(open);
      if (open >= 1) throw new Refusal('unavailable', { retryAfter: 1 });
    };
    const wire = await Wire.open(face.url, as(red));
    wire.write(rawRequest('GET', fire, asserted));
    expect((await wire.answer())?.status).toBe(200);
    const other = await send('GET', fire);
    expect(other).toMatchObject({ status: 503, headers: { 'retry-after': '1', connection: 'close' } });
    wire.write(rawRequest('GET', fire, asserted));
    expect((await wire.answer())?.status).toBe(200);
    expect(counted).toEqual([0, 1]);
    wire.end();
  });

  test('a partner reads its own group as it gave it, with the tag of the source', async () => {
    facing.copyForPartner = async (_from, groupId) => ({
      groupId,
      bytes: Buffer.from('<own/>'),
      tag: 'source',
      modified: '',
    });
    expect(await send('GET', fire)).toMatchObject({ status: 200, body: '<own/>', headers: { etag: '"source"' } });
    const known = { ...asserted, 'If-None-Match': '"other", "source"' };
    expect((await send('GET', fire, known)).status).toBe(304);
    expect(calls).toEqual([]);
  });

  test('OMA XDM: the directory of a partner is its own alone, and lists what it may read', async () => {
    facing.directoryForPartner = async () => [
      { groupId: 'sip:a@blue.example', tag: 'view' },
      { groupId: 'sip:fire@red.example', tag: 't' },
    ];
    const directory = (psi: string): string =>
      `/xcap-root/org.openmobilealliance.xcap-directory/users/${psi}/directory.xml`;
    const answer = await send('GET', directory('sip:gms@red.example'));
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/vnd.oma.xcap-directory+xml' },
    });
    expect([...answer.body.matchAll(/uri="([^"]*)" etag="([^"]*)"/g)].map(([, uri, tag]) => [uri, tag])).toEqual([
      [
        'https://gms.blue.example/xcap-root/org.openmobilealliance.groups/global/byGroupID/sip%3Aa%40blue.example',
        'view',
      ],
      [
        'https://gms.blue.example/xcap-root/org.openmobilealliance.groups/global/byGroupID/sip%3Afire%40red.example',
        't',
      ],
    ]);
    const foreign = await send('GET', directory('sip:gms@green.example'));
    const nothing = await send('GET', `${byGroupId}/sip:nobody@red.example`);
    expect(withoutDate(foreign)).toBe(withoutDate(nothing));
    expect((await send('PUT', directory('sip:gms@red.example'), put, '<x/>')).status).toBe(403);
  });
});
