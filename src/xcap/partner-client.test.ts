// The client towards partner systems: what it sends, whom it believes, and how it reads every kind of answer.
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { certificateFacts } from '../identity/certificates.ts';
import { type TestCertificate, testAuthority, testCertificate } from './certificates.testkit.ts';
import { isUsableRoot, type PartnerClient, type PartnerRoute, partnerClient } from './partner-client.ts';

const groupType = 'application/vnd.oma.poc.groups+xml';
const group = 'sip:fire/1@red.example';

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly peer: string | undefined;
}

let authority: TestCertificate;
let blue: TestCertificate;
let received: Received[];
let clients: PartnerClient[];
let servers: Server[];
let clock: number;

beforeAll(async () => {
  authority = await testAuthority('lab');
  blue = await testCertificate(authority, { dns: ['gms.blue.example'] });
});
beforeEach(() => {
  received = [];
  clients = [];
  servers = [];
  clock = Date.parse('2026-01-01T00:00:00Z');
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

type Script = (response: ServerResponse, request: Received) => void;

/** A GMS of red at 127.0.0.1 that answers by script; returns its XCAP root. */
async function redGms(script: Script, certificate?: TestCertificate): Promise<string> {
  const leaf =
    certificate ?? (await testCertificate(authority, { dns: ['gms.red.example'], addresses: ['127.0.0.1'] }));
  const server = createServer({ ...leaf, ca: authority.cert, requestCert: true, rejectUnauthorized: false });
  servers.push(server);
  return listen(server, script, 'https');
}

async function listen(server: Server, script: Script, scheme: string): Promise<string> {
  server.on('request', (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const socket = request.socket as unknown as { getPeerCertificate?: () => { subjectaltname?: string } };
      const seen = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
        peer: socket.getPeerCertificate?.().subjectaltname,
      };
      received.push(seen);
      script(response, seen);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/xcap-root`;
}

function client(xcapRoots: readonly string[], route: Partial<PartnerRoute> = {}, timeout = 5000): PartnerClient {
  const made = partnerClient({
    identity: 'sip:gms@blue.example',
    certificate: blue,
    partners: [
      { name: 'red', xcapRoots, certificates: [{ san: 'gms.red.example' }], authority: authority.cert, ...route },
      { name: 'silent', xcapRoots: [], certificates: [{ san: 'x' }] },
    ],
    timeout,
    documentBytes: 1000,
    now: () => clock,
  });
  clients.push(made);
  return made;
}

/** Status, fields and body, in one line. */
function answering(status: number, headers: Record<string, string> = {}, body = ''): Script {
  return (response) => response.writeHead(status, headers).end(body);
}

const bytes = Buffer.from('<group/>');

describe('what goes out', () => {
  test('a provision: one PUT with our identity, our certificate, the bytes as they are', async () => {
    const root = await redGms(answering(201, { ETag: '"r-1"' }));
    expect(await client([root]).provide('red', group, bytes, undefined)).toEqual({
      outcome: 'accepted',
      created: true,
      tag: 'r-1',
    });
    expect(received).toEqual([
      {
        method: 'PUT',
        url: '/xcap-root/org.openmobilealliance.groups/global/byGroupID/sip%3Afire%2F1%40red.example',
        headers: expect.objectContaining({
          'x-3gpp-asserted-identity': '"sip:gms@blue.example"',
          'content-type': groupType,
          'content-length': '8',
        }),
        body: '<group/>',
        peer: 'DNS:gms.blue.example',
      },
    ]);
    expect(Object.keys(received[0]?.headers ?? {}).sort()).toEqual([
      'accept-encoding',
      'connection',
      'content-length',
      'content-type',
      'host',
      'x-3gpp-asserted-identity',
    ]);
  });

  test('RFC 9110 13.1.1: the tag that the partner gave goes into If-Match, quoted', async () => {
    const root = await redGms(answering(200, { ETag: '"r-2"' }));
    expect(await client([root]).provide('red', group, bytes, 'r-1')).toMatchObject({ created: false, tag: 'r-2' });
    expect(received[0]?.headers['if-match']).toBe('"r-1"');
  });

  test('a tag that has become stale is dropped once, since what we hold is newer', async () => {
    const root = await redGms((response, { headers }) => response.writeHead(headers['if-match'] ? 412 : 200).end());
    expect(await client([root]).provide('red', group, bytes, 'r-1')).toMatchObject({ outcome: 'accepted' });
    expect(received.map(({ headers }) => headers['if-match'])).toEqual(['"r-1"', undefined]);
  });

  test('a 412 to an unconditional PUT is a refusal, not a loop', async () => {
    const root = await redGms(answering(412));
    expect(await client([root]).provide('red', group, bytes, 'r-1')).toMatchObject({ outcome: 'refused', status: 412 });
    expect(received).toHaveLength(2);
  });

  test('a request asks with the tag of the copy held', async () => {
    const root = await redGms(answering(304));
    expect(await client([root]).fetch('red', group, 'r-1')).toEqual({ outcome: 'unchanged' });
    expect(received[0]).toMatchObject({ method: 'GET', headers: { 'if-none-match': '"r-1"', accept: groupType } });
  });

  test('connections are kept', async () => {
    const ports = new Set<number | undefined>();
    const root = await redGms((response) => {
      ports.add(response.socket?.remotePort);
      response.writeHead(200).end();
    });
    const red = client([root]);
    for (let round = 0; round < 10; round++) await red.withdraw('red', group);
    expect(received).toHaveLength(10);
    expect(ports.size).toBeLessThan(4);
  });
});

describe('answers to a provision', () => {
  test.each([
    [200, { ETag: 'W/"weak"' }, '', { outcome: 'accepted', created: false, tag: undefined }],
    [204, {}, '', { outcome: 'accepted', created: false, tag: undefined }],
    [
      403,
      { 'Content-Type': 'text/plain; charset=utf-8' },
      'forbidden: The caller has no right\u0007 to do this\nsecond line',
      { outcome: 'refused', status: 403, reason: '403 forbidden: The caller has no right to do this' },
    ],
    [404, { 'Content-Type': 'text/html' }, '<h1>no</h1>', { outcome: 'refused', status: 404, reason: '404' }],
    [302, { Location: 'https://gms.red.example/' }, '', { outcome: 'refused', status: 302, reason: '302' }],
    [408, {}, '', { outcome: 'failed', reason: '408', retryAfter: undefined }],
    [429, { 'Retry-After': '17' }, '', { outcome: 'failed', reason: '429', retryAfter: 17 }],
    [
      503,
      { 'Retry-After': 'Thu, 01 Jan 2026 00:01:00 GMT' },
      '',
      { outcome: 'failed', reason: expect.stringMatching(/: 503$/), retryAfter: 60 },
    ],
    [
      500,
      { 'Retry-After': 'soon' },
      '',
      { outcome: 'failed', reason: expect.stringMatching(/: 500$/), retryAfter: undefined },
    ],
  ])('%i', async (status, headers, body, outcome) => {
    const root = await redGms(answering(status, headers, body));
    expect(await client([root]).provide('red', group, bytes, undefined)).toEqual(outcome);
    expect(received).toHaveLength(1);
  });

  test.each([
    [200, { outcome: 'accepted' }],
    [404, { outcome: 'accepted' }],
    [410, { outcome: 'accepted' }],
    [403, { outcome: 'refused', status: 403 }],
    [502, { outcome: 'failed' }],
  ])('to a withdrawal: %i', async (status, outcome) => {
    const root = await redGms(answering(status));
    expect(await client([root]).withdraw('red', group)).toMatchObject(outcome);
    expect(received[0]?.method).toBe('DELETE');
  });
});

describe('RFC 4825 11: a 409 says which condition failed', () => {
  test('the element and its phrase reach the operator', async () => {
    const body =
      '<?xml version="1.0"?><xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error"><constraint-failure phrase="no &amp; owner"/></xcap-error>';
    const root = await redGms(answering(409, { 'Content-Type': 'application/xcap-error+xml' }, body));
    expect(await client([root]).provide('red', group, bytes, undefined)).toEqual({
      outcome: 'refused',
      status: 409,
      reason: '409 constraint-failure: no & owner',
    });
  });

  test.each(['', '<xcap-error/>', '<!DOCTYPE x><x/>', '<xcap-error xmlns="urn:x"><a/></xcap-error>', '<broken'])(
    'a body that is no xcap-error (%j) is left out',
    async (body) => {
      const root = await redGms(answering(409, { 'Content-Type': 'application/xcap-error+xml' }, body));
      expect(await client([root]).provide('red', group, bytes, undefined)).toMatchObject({ reason: '409' });
    },
  );
});

describe('answers to a request', () => {
  test.each([
    [
      200,
      { 'Content-Type': groupType, ETag: '"r-1"' },
      { outcome: 'fetched', bytes: new Uint8Array(bytes), tag: 'r-1' },
    ],
    [
      200,
      { 'Content-Type': `${groupType.toUpperCase()}; charset=utf-8` },
      { outcome: 'fetched', bytes: new Uint8Array(bytes) },
    ],
    [200, { 'Content-Type': 'text/html' }, { outcome: 'failed', reason: 'the answer is text/html, not a group' }],
    [200, {}, { outcome: 'failed' }],
    [200, { 'Content-Type': groupType, 'Content-Encoding': 'gzip' }, { outcome: 'failed' }],
    [204, {}, { outcome: 'failed' }],
    [404, {}, { outcome: 'absent' }],
    [410, {}, { outcome: 'absent' }],
    [403, {}, { outcome: 'refused', status: 403 }],
    [301, { Location: '/elsewhere' }, { outcome: 'refused', status: 301 }],
    [304, {}, { outcome: 'failed' }],
    [500, {}, { outcome: 'failed' }],
  ])('%i with %j', async (status, headers, outcome) => {
    const hasBody = status !== 204 && status !== 304;
    const root = await redGms(answering(status, headers, hasBody ? '<group/>' : ''));
    expect(await client([root]).fetch('red', group, undefined)).toMatchObject(outcome);
    expect(received).toHaveLength(1);
  });

  test.each([
    ['declared', { 'Content-Length': '2000' }],
    ['in chunks', {}],
  ])('a body over the limit, %s, is a failure', async (_name, headers) => {
    const root = await redGms(answering(200, { 'Content-Type': groupType, ...headers }, 'x'.repeat(2000)));
    expect(await client([root]).fetch('red', group, undefined)).toMatchObject({ outcome: 'failed' });
  });

  test('an answer that breaks off is a failure, never half a document', async () => {
    const root = await redGms((response) => {
      response.writeHead(200, { 'Content-Type': groupType, 'Content-Length': '100' });
      response.write('<group');
      setImmediate(() => response.socket?.destroy());
    });
    expect(await client([root]).fetch('red', group, undefined)).toMatchObject({ outcome: 'failed' });
  });

  test.each([
    ['never begins', () => undefined],
    ['never ends', (response: ServerResponse) => response.writeHead(200, { 'Content-Type': groupType }).write('<')],
  ])('an answer that %s is given up', async (_name, script) => {
    const root = await redGms(script);
    expect(await client([root], {}, 200).fetch('red', group, undefined)).toMatchObject({ outcome: 'failed' });
  });
});

describe('whom we believe', () => {
  const certificates: Record<string, () => Promise<TestCertificate>> = {
    'a certificate that is not pinned': () =>
      testCertificate(authority, { dns: ['other.red.example'], addresses: ['127.0.0.1'] }),
    'a pinned certificate for another host': () => testCertificate(authority, { dns: ['gms.red.example'] }),
    'a certificate of an unknown CA': async () =>
      testCertificate(await testAuthority('strange'), { dns: ['gms.red.example'], addresses: ['127.0.0.1'] }),
    'an expired certificate': () =>
      testCertificate(authority, { dns: ['gms.red.example'], addresses: ['127.0.0.1'] }, new Date(Date.now() - 60_000)),
  };

  test.each(Object.keys(certificates))('%s gets nothing from us', async (name) => {
    const root = await redGms(answering(200), await certificates[name]?.());
    expect(await client([root]).provide('red', group, bytes, undefined)).toMatchObject({ outcome: 'failed' });
    expect(received).toEqual([]);
  });

  test('a key may be pinned instead of a name', async () => {
    const leaf = await testCertificate(authority, { addresses: ['127.0.0.1'] });
    const root = await redGms(answering(200), leaf);
    const { spki } = certificateFacts(leaf.cert);
    expect(await client([root], { certificates: [{ spki }] }).withdraw('red', group)).toMatchObject({
      outcome: 'accepted',
    });
  });

  test.each([
    ['https://gms.red.example/xcap-root', true],
    ['http://127.0.0.1:8081/xcap-root', true],
    ['http://[::1]:8081/', true],
    ['http://localhost:8081/', false],
    ['http://gms.red.example/', false],
    ['http://192.0.2.1/', false],
    ['ftp://127.0.0.1/', false],
    ['nonsense', false],
  ])('the root %s is usable: %s', (root, usable) => {
    expect(isUsableRoot(root)).toBe(usable);
    if (!usable) expect(() => client([root])).toThrow(root);
  });

  test('without TLS, to a loopback address', async () => {
    const server = createHttpServer() as unknown as Server;
    servers.push(server);
    const root = await listen(server, answering(200), 'http');
    expect(await client([root]).withdraw('red', group)).toMatchObject({ outcome: 'accepted' });
  });
});

describe('several roots', () => {
  const refused = 'https://127.0.0.1:1/xcap-root';

  test('the next one is asked when one cannot be reached or answers 5xx', async () => {
    const broken = await redGms(answering(502));
    const good = await redGms(answering(200));
    expect(await client([refused, broken, good]).withdraw('red', group)).toMatchObject({ outcome: 'accepted' });
    expect(received).toHaveLength(2);
  });

  test('a 4xx is an answer: nobody else is asked', async () => {
    const first = await redGms(answering(403));
    const second = await redGms(answering(200));
    expect(await client([first, second]).withdraw('red', group)).toMatchObject({ outcome: 'refused' });
    expect(received).toHaveLength(1);
  });

  test('a root that failed is asked last for half a minute, then first again', async () => {
    let broken = true;
    const asked: string[] = [];
    const first = await redGms((response) => {
      asked.push('first');
      response.writeHead(broken ? 503 : 200).end();
    });
    const second = await redGms((response) => {
      asked.push('second');
      response.writeHead(200).end();
    });
    const red = client([first, second]);
    await red.withdraw('red', group);
    broken = false;
    await red.withdraw('red', group);
    clock += 31_000;
    await red.withdraw('red', group);
    expect(asked).toEqual(['first', 'second', 'second', 'first']);
  });

  test('a kept connection that the other side has just closed costs no failure', async () => {
    let connections = 0;
    const root = await redGms((response) => {
      response.writeHead(200).end();
      // Closed without a word after the answer, so that the client finds out by using it
      if (++connections === 1) response.once('finish', () => setImmediate(() => response.socket?.destroy()));
    });
    const red = client([root]);
    expect(await red.withdraw('red', group)).toMatchObject({ outcome: 'accepted' });
    expect(await red.withdraw('red', group)).toMatchObject({ outcome: 'accepted' });
  });

  test('nothing answers: the reason names the last root', async () => {
    expect(await client([refused]).fetch('red', group, undefined)).toEqual({
      outcome: 'failed',
      reason: expect.stringMatching(/^https:\/\/127\.0\.0\.1:1\/xcap-root: .*ECONNREFUSED/),
    });
  });

  test.each(['silent', 'unknown'])('a partner that is %s cannot be asked, and nothing throws', async (partner) => {
    const red = client([]);
    expect(await red.provide(partner, group, bytes, undefined)).toMatchObject({ outcome: 'failed' });
    expect(await red.fetch(partner, group, undefined)).toMatchObject({ outcome: 'failed' });
  });

  test('after close every request fails, and nothing throws', async () => {
    const red = client([await redGms(answering(200))]);
    await red.close();
    expect(await red.withdraw('red', group)).toMatchObject({ outcome: 'failed' });
  });
});
