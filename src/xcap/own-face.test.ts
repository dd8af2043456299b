// Whole documents over the own face, in the order of RFC 4825: operations of clause 7, server behaviour of clause 8, errors of clause 11.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import {
  groupsPath,
  groupType,
  harbourKey,
  ines,
  listKey,
  listPath,
  listType,
  type RunningFace,
  runningFace,
} from './own-face.testkit.ts';
import { exchange, rawRequest } from './wire.testkit.ts';

let face: RunningFace;

beforeEach(async () => {
  face = await runningFace();
});
afterEach(() => face.close());

const put = { 'Content-Type': listType };

describe('RFC 4825 7.1: create or replace a document', () => {
  test('creation is 201 with a quoted tag and no content', async () => {
    const answer = await face.send('PUT', listPath, put, '<resource-lists/>');
    expect(answer).toMatchObject({ status: 201, body: '', headers: { 'content-length': '0' } });
    expect(answer.headers.etag).toMatch(/^"[^"]+"$/);
    expect(face.text(listKey)).toBe('<resource-lists/>');
  });

  test('RFC 4825 8.2.7: replacement is 200 without content, with the new tag', async () => {
    const before = face.store(listKey, '<a/>');
    const answer = await face.send('PUT', listPath, put, '<b/>');
    expect(answer).toMatchObject({ status: 200, body: '', headers: { 'content-length': '0' } });
    expect(answer.headers.etag).not.toBe(`"${before}"`);
  });

  test('a body in chunks is a body', async () => {
    const chunked = rawRequest('PUT', listPath, {
      ...put,
      'X-3GPP-Asserted-Identity': ines,
      'Transfer-Encoding': 'chunked',
    });
    expect(await exchange(face.url, `${chunked}2\r\n<a\r\n2\r\n/>\r\n0\r\n\r\n`)).toMatchObject({ status: 201 });
    expect(face.text(listKey)).toBe('<a/>');
  });

  test.each([
    ['Application/RESOURCE-lists+XML ; charset=utf-8', 201],
    ['application/xml', 415],
    ['application/xcap-el+xml', 415],
    [`${listType}x`, 415],
    ['', 415],
  ])('the media type "%s" is %i', async (type, status) => {
    const answer = await face.send('PUT', listPath, { 'Content-Type': type }, '<a/>');
    expect(answer.status).toBe(status);
    if (status === 415) expect(answer.headers.accept).toBe(listType);
  });

  test('no media type at all is 415', async () => {
    expect(await face.send('PUT', listPath, {}, '<a/>')).toMatchObject({ status: 415 });
    expect(face.text(listKey)).toBeUndefined();
  });

  test('RFC 9110 8.4: a body in a content coding is 415', async () => {
    expect(await face.send('PUT', listPath, { ...put, 'Content-Encoding': 'gzip' }, '<a/>')).toMatchObject({
      status: 415,
    });
  });

  test('RFC 4825 8.2.1: a directory that does not exist is 409 no-parent', async () => {
    const answer = await face.send('PUT', listPath.replace('/index', '/dir/index'), put, '<a/>');
    expect(answer).toMatchObject({ status: 409, headers: { 'content-type': 'application/xcap-error+xml' } });
    expect(answer.body).toContain('<no-parent');
  });
});

describe('RFC 4825 7.2: delete a document', () => {
  test('200, then 404', async () => {
    face.store(listKey, '<a/>');
    expect(await face.send('DELETE', listPath)).toMatchObject({
      status: 200,
      body: '',
      headers: { 'content-length': '0' },
    });
    expect(face.text(listKey)).toBeUndefined();
    expect(await face.send('DELETE', listPath)).toMatchObject({ status: 404, body: 'not-found: No such resource\n' });
  });
});

describe('RFC 4825 7.3: fetch a document', () => {
  test('200 with the stored bytes, the media type of the usage, tag and length', async () => {
    const tag = face.store(listKey, '<a>\r\n</a>');
    expect(await face.send('GET', listPath)).toMatchObject({
      status: 200,
      body: '<a>\r\n</a>',
      headers: { 'content-type': listType, etag: `"${tag}"`, 'content-length': '9', 'cache-control': 'no-cache' },
    });
  });

  test('HEAD is the same without content', async () => {
    const tag = face.store(listKey, '<a/>');
    expect(await face.send('HEAD', listPath)).toMatchObject({
      status: 200,
      body: '',
      headers: { 'content-type': listType, etag: `"${tag}"`, 'content-length': '4' },
    });
  });

  test('the absolute form of the request target names the same document', async () => {
    face.store(listKey, '<a/>');
    expect(await face.send('GET', `http://gms.blue.example${listPath}`)).toMatchObject({ status: 200 });
  });

  test('the answer does not say what software made it', async () => {
    const { head } = await face.send('GET', listPath);
    expect(head).not.toMatch(/server|powered|via|node|mcgw/i);
  });

  test('a content type and an empty body on GET, as clients in the field send, do no harm', async () => {
    face.store(listKey, '<a/>');
    expect(await face.send('GET', listPath, put, '')).toMatchObject({ status: 200 });
  });
});

describe('RFC 4825 7.4 to 7.10: elements, attributes, namespace bindings', () => {
  test.each(['GET', 'PUT', 'DELETE'])('%s of a node selector that is not understood is 404', async (method) => {
    face.store(listKey, '<a/>');
    expect(await face.send(method, `${listPath}/~~/a`)).toMatchObject({ status: 404 });
    expect(face.text(listKey)).toBe('<a/>');
  });
});

describe('RFC 4825 7.11 and 8.2.6: conditional requests', () => {
  test('create only: If-None-Match * on an existing document is 412, on an absent one 201', async () => {
    const headers = { ...put, 'If-None-Match': '*' };
    expect(await face.send('PUT', listPath, headers, '<a/>')).toMatchObject({ status: 201 });
    expect(await face.send('PUT', listPath, headers, '<a/>')).toMatchObject({ status: 412 });
    expect(await face.send('PUT', listPath, headers, '<b/>')).toMatchObject({ status: 412 });
    expect(face.text(listKey)).toBe('<a/>');
  });

  test.each([
    ['PUT', (tag: string) => `"${tag}"`, 200],
    ['PUT', (tag: string) => tag, 200],
    ['PUT', (tag: string) => `"x,${tag}", "${tag}"`, 200],
    ['PUT', () => '*', 200],
    ['PUT', (tag: string) => `W/"${tag}"`, 412],
    ['PUT', (tag: string) => `"x,${tag}"`, 412],
    ['PUT', () => '"stale"', 412],
    ['PUT', () => '"broken', 400],
    ['DELETE', (tag: string) => `"${tag}"`, 200],
    ['DELETE', () => '"stale"', 412],
    ['GET', () => '"stale"', 412],
    ['GET', (tag: string) => `"${tag}"`, 200],
  ])('%s with If-Match %s is %i', async (method, ifMatch, status) => {
    const tag = face.store(listKey, '<a/>');
    const body = method === 'PUT' ? '<b/>' : undefined;
    const answer = await face.send(method, listPath, { ...put, 'If-Match': ifMatch(tag) }, body);
    expect(answer.status).toBe(status);
    if (status >= 400) expect(face.text(listKey)).toBe('<a/>');
  });

  test('If-Match on an absent document is 412', async () => {
    expect(await face.send('PUT', listPath, { ...put, 'If-Match': '*' }, '<a/>')).toMatchObject({ status: 412 });
  });

  test.each([
    [(tag: string) => `"${tag}"`, 304],
    [(tag: string) => `W/"${tag}"`, 304],
    [(tag: string) => tag, 304],
    [(tag: string) => `"stale", "${tag}"`, 304],
    [() => '*', 304],
    [() => '"stale"', 200],
  ])('GET with If-None-Match %s is %i', async (ifNoneMatch, status) => {
    const tag = face.store(listKey, '<a/>');
    for (const method of ['GET', 'HEAD']) {
      const answer = await face.send(method, listPath, { 'If-None-Match': ifNoneMatch(tag) });
      expect(answer).toMatchObject({ status, headers: { etag: `"${tag}"` } });
    }
  });

  test('a precondition that fails is told before a wrong media type', async () => {
    face.store(listKey, '<a/>');
    const headers = { 'Content-Type': 'text/plain', 'If-None-Match': '*' };
    expect(await face.send('PUT', listPath, headers, '<b/>')).toMatchObject({ status: 412 });
  });

  test('a wrong media type tells strangers nothing about a document', async () => {
    face.store(listKey, '<a/>');
    const headers = {
      'Content-Type': 'text/plain',
      'If-None-Match': '*',
      'X-3GPP-Asserted-Identity': 'sip:eve@blue.example',
    };
    expect(await face.send('PUT', listPath, headers, '<b/>')).toMatchObject({ status: 403 });
  });
});

describe('RFC 4825 8: what is checked first', () => {
  const anonymous = (method: string, target: string) => exchange(face.url, rawRequest(method, target));

  test.each([
    ['/xcap-root/unknown-usage/users/sip:a@blue.example/index', 'unknown-application-usage'],
    ['/xcap-root/resource-lists/users/sip:a@red.example/index', 'unknown-xui'],
    ['/xcap-root/resource-lists/users/tel:+49/index', 'unknown-xui'],
    ['/elsewhere', 'not-found'],
    ['/', 'not-found'],
  ])('%s is 404 before anybody is asked who he is', async (target, code) => {
    const answer = await anonymous('GET', target);
    expect(answer).toMatchObject({ status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' } });
    expect(answer.body.startsWith(`${code}: `)).toBe(true);
  });

  test('what cannot be decoded is 400', async () => {
    expect(await anonymous('GET', '/xcap-root/resource-lists/global/%ff')).toMatchObject({ status: 400 });
  });

  test('then comes who is calling, then the method', async () => {
    expect(await anonymous('POST', listPath)).toMatchObject({
      status: 403,
      body: expect.stringMatching(/^credentials-missing: /),
    });
    expect(await face.send('POST', listPath)).toMatchObject({ status: 405 });
  });

  test('the right comes before the precondition', async () => {
    face.store(listKey, '<a/>');
    const eve = { 'X-3GPP-Asserted-Identity': 'sip:eve@blue.example', 'If-None-Match': '*', ...put };
    expect(await face.send('PUT', listPath, eve, '<b/>')).toMatchObject({
      status: 403,
      body: expect.stringMatching(/^forbidden: /),
    });
    expect(await face.send('GET', listPath, eve)).toMatchObject({ status: 403 });
  });
});

describe('RFC 4825 8.1 and RFC 9110: methods', () => {
  test.each([
    ['POST', listPath, 'GET, HEAD, PUT, DELETE, OPTIONS'],
    ['PATCH', listPath, 'GET, HEAD, PUT, DELETE, OPTIONS'],
    ['PUT', `${groupsPath}/byGroupID/sip:harbour@blue.example`, 'GET, HEAD, POST, OPTIONS'],
    ['DELETE', `${groupsPath}/byGroupID/sip:harbour@blue.example`, 'GET, HEAD, POST, OPTIONS'],
    ['PUT', `${groupsPath}/index`, 'GET, HEAD, OPTIONS'],
    ['PUT', '/xcap-root/xcap-caps/global/index', 'GET, HEAD, OPTIONS'],
  ])('%s %s is 405 with Allow', async (method, target, allow) => {
    expect(await face.send(method, target, {}, '<a/>')).toMatchObject({ status: 405, headers: { allow } });
  });

  test.each([
    [listPath, 'GET, HEAD, PUT, DELETE, OPTIONS'],
    [`${groupsPath}/byGroupID/sip:harbour@blue.example`, 'GET, HEAD, POST, OPTIONS'],
    ['*', 'GET, HEAD, PUT, DELETE, OPTIONS'],
  ])('OPTIONS %s', async (target, allow) => {
    expect(await face.send('OPTIONS', target)).toMatchObject({
      status: 200,
      headers: { allow, 'content-length': '0' },
    });
  });
});

describe('TS 24.481 7.2.10: a group by its ID', () => {
  test.each([
    'byGroupID/sip:harbour@blue.example',
    'byGroupID/sip%3Aharbour%40BLUE.example',
    'byGroup/sip:harbour@blue.example',
  ])('%s is the document of its owner with the same tag', async (path) => {
    const tag = face.store(harbourKey, '<group/>', 'sip:harbour@blue.example');
    const server = { 'X-3GPP-Asserted-Identity': 'sip:mcptt@blue.example' };
    expect(await face.send('GET', `${groupsPath}/${path}`, server)).toMatchObject({
      status: 200,
      body: '<group/>',
      headers: { etag: `"${tag}"`, 'content-type': groupType },
    });
  });

  test('a group that is not here is 404', async () => {
    expect(await face.send('GET', `${groupsPath}/byGroupID/sip:other@blue.example`)).toMatchObject({ status: 404 });
  });
});

describe('TS 24.481 6.3: operations on a group', () => {
  const target = `${groupsPath}/byGroupID/sip:harbour@blue.example`;
  const gmop = { 'Content-Type': 'application/vnd.3gpp.GMOP+xml' };
  const operation = (name: string): string =>
    `<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request><${name}/></request></document>`;

  test.each([
    ['another media type', { 'Content-Type': 'application/xml' }, operation('get-excluding-memberlist'), 415],
    ['another operation', gmop, operation('group-regroup-creation'), 501],
    ['no XML', gmop, 'get-excluding-memberlist', 400],
    ['another document', gmop, '<document/>', 400],
    ['a document type', gmop, `<!DOCTYPE document>${operation('get-excluding-memberlist')}`, 400],
    ['nothing', gmop, '', 400],
    ['a group that is not here', gmop, operation('get-excluding-memberlist'), 404],
  ])('%s is refused', async (_name, headers, body, status) => {
    expect(await face.send('POST', target, headers, body)).toMatchObject({ status });
  });
});

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
    expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
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

test('a request target that was served before is judged anew', async () => {
  const eve = { 'X-3GPP-Asserted-Identity': 'sip:eve@blue.example' };
  face.store(listKey, '<a/>');
  expect(await face.send('GET', listPath)).toMatchObject({ status: 200, body: '<a/>' });
  expect(await face.send('GET', listPath, eve)).toMatchObject({ status: 403 });
  face.store(listKey, '<b/>');
  expect(await face.send('GET', listPath)).toMatchObject({ status: 200, body: '<b/>' });
  expect(await face.send('DELETE', listPath)).toMatchObject({ status: 200 });
  expect(await face.send('GET', listPath)).toMatchObject({ status: 404 });
});

test('every answer is counted with its method and status', async () => {
  await face.send('GET', listPath);
  await face.send('PUT', listPath, put, '<a/>');
  expect(face.answers).toEqual([
    { method: 'GET', status: 404, milliseconds: expect.any(Number) },
    { method: 'PUT', status: 201, milliseconds: expect.any(Number) },
  ]);
});
