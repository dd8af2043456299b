// Whole documents over the own face, in the order of RFC 4825: operations of clause 7, server behaviour of clause 8.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
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

  test.each([
    ['utf-16', 409],
    ['"UTF-16"', 409],
    ['iso-8859-1', 409],
    ['"iso\\-8859-1"', 409],
    ['UTF-8', 201],
    ['"utf-8"', 201],
    ['us-ascii', 201],
  ])('RFC 7303 3.2: charset=%s outranks what the document declares: %i', async (charset, status) => {
    const type = { 'Content-Type': `${listType}; profile="a;charset=x" ;CharSet=${charset}` };
    const answer = await face.send('PUT', listPath, type, '<?xml version="1.0" encoding="UTF-8"?><a/>');
    expect(answer.status).toBe(status);
    if (status === 409) expect(answer.body).toContain('<not-utf-8');
    expect(face.text(listKey) === undefined).toBe(status === 409);
  });

  test('RFC 9110 14.5: Content-Range is 400, a part is never stored as the whole', async () => {
    face.store(listKey, '<a/>');
    const part = { ...put, 'Content-Range': 'bytes 0-3/100' };
    expect(await face.send('PUT', listPath, part, '<b/>')).toMatchObject({
      status: 400,
      body: expect.stringMatching(/^bad-request: /),
    });
    expect(face.text(listKey)).toBe('<a/>');
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
    const answer = await face.send(method, `${listPath}/~~/a%5Blast()%5D`);
    expect(answer).toMatchObject({ status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' } });
    expect(answer.body).toMatch(/^selector-not-understood: .* at character 3: "last/);
    expect(face.text(listKey)).toBe('<a/>');
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
    ['no operation', gmop, '<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request/></document>', 400],
    ['a response', gmop, operation('get-excluding-memberlist').replaceAll('request', 'response'), 400],
    ['a group that is not here', gmop, operation('get-excluding-memberlist'), 404],
  ])('%s is refused', async (_name, headers, body, status) => {
    expect(await face.send('POST', target, headers, body)).toMatchObject({ status });
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
