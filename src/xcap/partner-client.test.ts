// The client towards partner systems: what it sends, and how it reads every kind of answer.
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  answering,
  bytes,
  group,
  groupType,
  type ScriptedPartner,
  scriptedPartner,
} from './scripted-partner.testkit.ts';

let partner: ScriptedPartner;

beforeEach(async () => {
  partner = await scriptedPartner();
});
afterEach(() => partner.close());

describe('what goes out', () => {
  test('a provision: one PUT with our identity, our certificate, the bytes as they are', async () => {
    const root = await partner.gms(answering(201, { ETag: '"r-1"' }));
    expect(await partner.client([root]).provide('red', group, bytes, undefined)).toEqual({
      outcome: 'accepted',
      created: true,
      tag: 'r-1',
    });
    expect(partner.received).toEqual([
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
    expect(Object.keys(partner.received[0]?.headers ?? {}).sort()).toEqual([
      'accept-encoding',
      'connection',
      'content-length',
      'content-type',
      'date',
      'host',
      'if-none-match',
      'x-3gpp-asserted-identity',
    ]);
  });

  test('RFC 9110 13.1.2: a first provision creates only; where an answer was lost it is repeated without condition', async () => {
    const root = await partner.gms((response, { headers }) =>
      headers['if-none-match'] ? response.writeHead(412).end() : response.writeHead(200, { ETag: '"r-1"' }).end(),
    );
    expect(await partner.client([root]).provide('red', group, bytes, undefined)).toEqual({
      outcome: 'accepted',
      created: false,
      tag: 'r-1',
    });
    expect(partner.received.map(({ headers }) => headers['if-none-match'])).toEqual(['*', undefined]);
  });

  test('RFC 9110 6.6.1: a withdrawal says when it was sent', async () => {
    const root = await partner.gms(answering(200));
    await partner.client([root]).withdraw('red', group, undefined);
    expect(Date.parse(partner.received[0]?.headers.date ?? '')).not.toBeNaN();
  });

  test('RFC 4825 6.2: a partner that takes groups in a user tree gets them there; it is asked for its own by group ID', async () => {
    const root = await partner.gms(answering(404));
    const client = partner.client([root], { provideBelow: 'sip:from blue@red.example' });
    await client.provide('red', group, bytes, undefined);
    await client.withdraw('red', group, undefined);
    await client.fetch('red', group, undefined);
    expect(
      partner.received.map(
        ({ method, url }) => `${method} ${url.slice('/xcap-root/org.openmobilealliance.groups'.length)}`,
      ),
    ).toEqual([
      'PUT /users/sip%3Afrom%20blue%40red.example/sip%3Afire%2F1%40red.example',
      'DELETE /users/sip%3Afrom%20blue%40red.example/sip%3Afire%2F1%40red.example',
      'GET /global/byGroupID/sip%3Afire%2F1%40red.example',
    ]);
  });

  test('RFC 9110 13.1.1: the tag that the partner gave goes into If-Match, quoted', async () => {
    const root = await partner.gms(answering(200, { ETag: '"r-2"' }));
    expect(await partner.client([root]).provide('red', group, bytes, 'r-1')).toMatchObject({
      created: false,
      tag: 'r-2',
    });
    expect(partner.received[0]?.headers['if-match']).toBe('"r-1"');
  });

  test('a tag that has become stale is dropped once, since what we hold is newer', async () => {
    const root = await partner.gms((response, { headers }) =>
      response.writeHead(headers['if-match'] ? 412 : 200).end(),
    );
    expect(await partner.client([root]).provide('red', group, bytes, 'r-1')).toMatchObject({ outcome: 'accepted' });
    expect(partner.received.map(({ headers }) => headers['if-match'])).toEqual(['"r-1"', undefined]);
  });

  test('a 412 to an unconditional PUT is a refusal, not a loop', async () => {
    const root = await partner.gms(answering(412));
    expect(await partner.client([root]).provide('red', group, bytes, 'r-1')).toMatchObject({
      outcome: 'refused',
      status: 412,
    });
    expect(partner.received).toHaveLength(2);
  });

  test('a request asks with the tag of the copy held', async () => {
    const root = await partner.gms(answering(304));
    expect(await partner.client([root]).fetch('red', group, 'r-1')).toEqual({ outcome: 'unchanged' });
    expect(partner.received[0]).toMatchObject({
      method: 'GET',
      headers: { 'if-none-match': '"r-1"', accept: groupType },
    });
  });

  test('connections are kept', async () => {
    const ports = new Set<number | undefined>();
    const root = await partner.gms((response) => {
      ports.add(response.socket?.remotePort);
      response.writeHead(200).end();
    });
    const red = partner.client([root]);
    for (let round = 0; round < 10; round++) await red.withdraw('red', group, undefined);
    expect(partner.received).toHaveLength(10);
    expect(ports.size).toBeLessThan(4);
  });
});

test('RFC 9112 9.3: what a partner answers twice shifts no more answers than one connection has requests', async () => {
  const requests = new Map<number | undefined, number>();
  const root = await partner.gms((response) => {
    const { remotePort } = response.socket ?? {};
    requests.set(remotePort, (requests.get(remotePort) ?? 0) + 1);
    response.writeHead(200).end();
  });
  const red = partner.client([root]);
  for (let round = 0; round < 250; round++) await red.withdraw('red', group, undefined);
  expect(Math.max(...requests.values())).toBeLessThanOrEqual(100);
  expect(requests.size).toBeLessThan(6);
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
    const root = await partner.gms(answering(status, headers, body));
    expect(await partner.client([root]).provide('red', group, bytes, undefined)).toEqual(outcome);
    expect(partner.received).toHaveLength(1);
  });

  test.each([
    [200, { outcome: 'accepted' }],
    [404, { outcome: 'accepted' }],
    [410, { outcome: 'accepted' }],
    [403, { outcome: 'refused', status: 403 }],
    [502, { outcome: 'failed' }],
  ])('to a withdrawal: %i', async (status, outcome) => {
    const root = await partner.gms(answering(status));
    expect(await partner.client([root]).withdraw('red', group, undefined)).toMatchObject(outcome);
    expect(partner.received[0]?.method).toBe('DELETE');
  });
});

describe('RFC 4825 11: a 409 says which condition failed', () => {
  test('the element and its phrase reach the operator', async () => {
    const body =
      '<?xml version="1.0"?><xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error"><constraint-failure phrase="no &amp; owner"/></xcap-error>';
    const root = await partner.gms(answering(409, { 'Content-Type': 'application/xcap-error+xml' }, body));
    expect(await partner.client([root]).provide('red', group, bytes, undefined)).toEqual({
      outcome: 'refused',
      status: 409,
      reason: '409 constraint-failure: no & owner',
    });
  });

  test.each(['', '<xcap-error/>', '<!DOCTYPE x><x/>', '<xcap-error xmlns="urn:x"><a/></xcap-error>', '<broken'])(
    'a body that is no xcap-error (%j) is left out',
    async (body) => {
      const root = await partner.gms(answering(409, { 'Content-Type': 'application/xcap-error+xml' }, body));
      expect(await partner.client([root]).provide('red', group, bytes, undefined)).toMatchObject({ reason: '409' });
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
    const root = await partner.gms(answering(status, headers, hasBody ? '<group/>' : ''));
    expect(await partner.client([root]).fetch('red', group, undefined)).toMatchObject(outcome);
    expect(partner.received).toHaveLength(1);
  });

  test.each([
    ['declared', { 'Content-Length': '2000' }],
    ['in chunks', {}],
  ])('a body over the limit, %s, is a failure', async (_name, headers) => {
    const root = await partner.gms(answering(200, { 'Content-Type': groupType, ...headers }, 'x'.repeat(2000)));
    expect(await partner.client([root]).fetch('red', group, undefined)).toMatchObject({ outcome: 'failed' });
  });

  test('an answer that breaks off is a failure, never half a document', async () => {
    const root = await partner.gms((response) => {
      response.writeHead(200, { 'Content-Type': groupType, 'Content-Length': '100' });
      response.write('<group');
      setImmediate(() => response.socket?.destroy());
    });
    expect(await partner.client([root]).fetch('red', group, undefined)).toMatchObject({ outcome: 'failed' });
  });

  test.each([
    ['never begins', () => undefined],
    ['never ends', (response: ServerResponse) => response.writeHead(200, { 'Content-Type': groupType }).write('<')],
  ])('an answer that %s is given up', async (_name, script) => {
    const root = await partner.gms(script);
    expect(await partner.client([root], {}, 200).fetch('red', group, undefined)).toMatchObject({ outcome: 'failed' });
  });
});
