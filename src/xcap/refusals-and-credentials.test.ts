// What a client reads when it is refused, and what it must show: RFC 4825 clause 11, TS 24.482 clause A.2.3, RFC 6750.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { testAuthority, testCertificate } from './certificates.testkit.ts';
import { ines, listKey, listPath, listType, type RunningFace, runningFace } from './own-face.testkit.ts';
import { exchange, rawRequest } from './wire.testkit.ts';

let face: RunningFace;

beforeEach(async () => {
  face = await runningFace();
});
afterEach(() => face.close());

const put = { 'Content-Type': listType };

describe('RFC 4825 11: refusals as a client reads them', () => {
  test('a condition of clause 11 is 409 with application/xcap-error+xml', async () => {
    const answer = await face.send('PUT', listPath, put, 'no XML');
    expect(answer).toMatchObject({ status: 409, headers: { 'content-type': 'application/xcap-error+xml' } });
    expect(answer.body).toContain('<not-well-formed');
    expect(answer.body).toContain('urn:ietf:params:xml:ns:xcap-error');
  });

  test('everything else is one line with a stable code', async () => {
    expect(await face.send('GET', listPath)).toMatchObject({
      status: 404,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: 'not-found: No such resource\n',
    });
  });

  test('a condition without an element of its own is 409 in plain text', async () => {
    face.failWith(new Refusal('no-member-of-partner'));
    expect(await face.send('GET', listPath)).toMatchObject({
      status: 409,
      headers: { 'content-type': expect.stringMatching(/^text\/plain/) },
    });
  });

  test('a server that is busy says for how long', async () => {
    face.failWith(new Refusal('unavailable', { retryAfter: 2.5 }));
    expect(await face.send('GET', listPath)).toMatchObject({ status: 503, headers: { 'retry-after': '3' } });
  });

  test('the cause of a refusal goes to the log and nowhere else', async () => {
    face.failWith(new Refusal('not-found', { cause: 'the secret reason' }));
    expect((await face.send('GET', listPath)).body).not.toContain('secret');
    expect(JSON.stringify(face.log.entries)).toContain('the secret reason');
  });

  test('a fault of ours is 500 without any detail, and a line in the log', async () => {
    face.failWith(new Error('select * from secrets'));
    const answer = await face.send('GET', listPath);
    expect(answer).toMatchObject({ status: 500, body: 'internal-error: The server failed\n' });
    expect(face.log.entries).toEqual([expect.objectContaining({ level: 'error', text: 'a request failed' })]);
  });
});

describe('TS 24.482 A.2.3 and RFC 6750 3: credentials', () => {
  test('a token that cannot be verified is 401 with the error, beside a good assertion too', async () => {
    const answer = await face.send('GET', listPath, { Authorization: 'Bearer forged' });
    expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } });
  });

  test('missing credentials are 403', async () => {
    expect(await exchange(face.url, rawRequest('GET', listPath))).toMatchObject({ status: 403 });
  });

  test('missing credentials are 401 with a challenge when so configured', async () => {
    const other = await runningFace({}, { missingCredentials: 401 });
    const answer = await exchange(other.url, rawRequest('GET', listPath));
    // RFC 6750 3: with a parameter, at least one
    const challenge = expect.stringMatching(/^Bearer scope="3gpp:mc:ptt_group_management_service [^"]*"$/);
    expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': challenge } });
    await other.close();
  });

  test('an identity asserted by a stranger is 403, whatever the forwarding fields say', async () => {
    const other = await runningFace({}, { trustedProxies: ['192.0.2.1'] });
    const forged = { 'X-Forwarded-For': '192.0.2.1', Forwarded: 'for=192.0.2.1' };
    expect(await other.send('GET', listPath, forged)).toMatchObject({
      status: 403,
      body: expect.stringMatching(/^identity-not-trusted: /),
    });
    await other.close();
  });

  test('several fields of one name are all read', async () => {
    face.store(listKey, '<a/>');
    const raw = rawRequest('GET', listPath, { 'X-3GPP-Asserted-Identity': '"tel:+49"' });
    const two = raw.replace('\r\n\r\n', `\r\nX-3GPP-Asserted-Identity: "${ines}"\r\n\r\n`);
    expect(await exchange(face.url, two)).toMatchObject({ status: 200 });
  });
});

describe('TLS on the own face', () => {
  const stop: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const one of stop.splice(0)) await one();
  });

  test('with a client CA configured, who shows no certificate of it gets no handshake', async () => {
    const authority = await testAuthority('red');
    const leaf = await testCertificate(authority, { dns: ['gms.red.example'] });
    const strange = await testCertificate(await testAuthority('strange'), { dns: ['x'] });
    const guarded = await runningFace({}, {}, { ...leaf, clientCa: authority.cert });
    stop.push(guarded.close);
    guarded.store(listKey, '<a/>');
    const raw = rawRequest('GET', listPath, { 'X-3GPP-Asserted-Identity': ines });
    const trusting = { ca: authority.cert, servername: 'gms.red.example' };
    expect(await exchange(guarded.url, raw, { ...trusting, ...leaf })).toMatchObject({ status: 200 });
    await expect(exchange(guarded.url, raw, trusting)).rejects.toThrow();
    await expect(exchange(guarded.url, raw, { ...trusting, ...strange })).rejects.toThrow();
  });

  test('replaced certificates serve and judge the connections from then on', async () => {
    const [before, after] = await Promise.all([testAuthority('before'), testAuthority('after')]);
    const [oldLeaf, newLeaf] = await Promise.all([
      testCertificate(before, { dns: ['gms.red.example'] }),
      testCertificate(after, { dns: ['gms.red.example'] }),
    ]);
    const guarded = await runningFace({}, {}, { ...oldLeaf, clientCa: before.cert });
    stop.push(guarded.close);
    const raw = rawRequest('GET', listPath, { 'X-3GPP-Asserted-Identity': ines });
    const servername = 'gms.red.example';
    expect(await exchange(guarded.url, raw, { ...oldLeaf, ca: before.cert, servername })).toMatchObject({
      status: 404,
    });
    guarded.replaceTls({ ...newLeaf, clientCa: after.cert });
    expect(await exchange(guarded.url, raw, { ...newLeaf, ca: after.cert, servername })).toMatchObject({ status: 404 });
    await expect(exchange(guarded.url, raw, { ...newLeaf, ca: before.cert, servername })).rejects.toThrow();
    await expect(exchange(guarded.url, raw, { ...oldLeaf, ca: after.cert, servername })).rejects.toThrow();
    expect(() => guarded.replaceTls({ cert: 'nonsense', key: 'nonsense' })).toThrow();
  });

  test('without one, the certificate of the server is all there is', async () => {
    const authority = await testAuthority('red');
    const open = await runningFace({}, {}, await testCertificate(authority, { dns: ['gms.red.example'] }));
    stop.push(open.close);
    const raw = rawRequest('GET', listPath, { 'X-3GPP-Asserted-Identity': ines });
    const trusting = { ca: authority.cert, servername: 'gms.red.example' };
    expect(await exchange(open.url, raw, trusting)).toMatchObject({ status: 404 });
  });
});
