// RFC 4825 clause 7: what clients do, in the order of its table of contents, beyond the vectors.
import { describe, expect, test } from '@jest/globals';
import { vectorsOf } from './vectors.ts';
import {
  attributeType,
  bindingsType,
  elementType,
  own,
  plain,
  plainType,
  stored,
  textOf,
  xcapServer,
} from './xcap-server.ts';

const server = xcapServer();

vectorsOf('7', server);

const document = `<?xml version='1.0'?>\r\n<!-- head -->\r\n<a  x='1'\r\n y="2"><![CDATA[<b/>]]><b/> <b n='2'>t&#233;</b><?pi d?>\r\n</a>\r\n<!-- tail -->`;

describe('RFC 4825 7.4: create or replace an element', () => {
  test('every octet outside the element stays, what was put comes back as it was', async () => {
    const { path, etag } = await stored(server, document);
    const put = await server.send('PUT', `${path}/~~/a/b%5B2%5D`, { type: elementType, body: "<b  n='3'\t/>" });
    expect(put).toMatchObject({ status: 200, body: '' });
    expect(put.headers['content-length']).toBe('0');
    expect(put.headers.etag).not.toBe(etag);
    expect(await textOf(server, path)).toBe(document.replace("<b n='2'>t&#233;</b>", "<b  n='3'\t/>"));
    const got = await server.send('GET', `${path}/~~/a/b%5B2%5D`);
    expect(got).toMatchObject({
      status: 200,
      body: "<b  n='3'\t/>",
      headers: { etag: put.headers.etag, 'content-type': elementType },
    });
  });

  test('a PUT that changes nothing keeps the tag', async () => {
    const { path, etag } = await stored(server, document);
    const same = await server.send('PUT', `${path}/~~/a/b%5B1%5D`, { type: elementType, body: '<b/>' });
    expect(same).toMatchObject({ status: 200, headers: { etag } });
  });

  test('an element for an absent document has no parent', async () => {
    const path = own(plain, 'absent.xml');
    const answer = await server.send('PUT', `${path}/~~/a`, { type: elementType, body: '<a/>' });
    expect(answer).toMatchObject({ status: 409 });
    expect(answer.body).toContain('<no-parent');
    expect(await textOf(server, path)).toBeUndefined();
  });
});

describe('RFC 4825 7.5: delete an element', () => {
  test('white space around it stays; the tag is that of the document that remains', async () => {
    const { path } = await stored(server, document);
    const deleted = await server.send('DELETE', `${path}/~~/a/b%5B@n='2'%5D`);
    expect(deleted).toMatchObject({ status: 200, body: '' });
    expect(await textOf(server, path)).toBe(document.replace("<b n='2'>t&#233;</b>", ''));
    expect((await server.send('HEAD', path)).headers.etag).toBe(deleted.headers.etag);
    expect(await server.send('DELETE', `${path}/~~/a/b%5B@n='2'%5D`)).toMatchObject({ status: 404 });
  });
});

describe('RFC 4825 7.6 to 7.9: elements and attributes read, attributes written and deleted', () => {
  test('an attribute comes with its own quotes', async () => {
    const { path } = await stored(server, document);
    const single = await server.send('GET', `${path}/~~/a/@x`);
    expect(single).toMatchObject({ status: 200, body: "'1'", headers: { 'content-type': attributeType } });
    expect(await server.send('GET', `${path}/~~/a/@y`)).toMatchObject({ status: 200, body: '"2"' });
  });

  test('created behind the others, replaced in place, deleted with the white space before it', async () => {
    const { path } = await stored(server, document);
    const put = (body: string) => server.send('PUT', `${path}/~~/a/@z`, { type: attributeType, body });
    expect(await put('"3"')).toMatchObject({ status: 201 });
    expect(await textOf(server, path)).toBe(document.replace('y="2"', 'y="2" z="3"'));
    expect(await put("'4'")).toMatchObject({ status: 200, body: '' });
    expect(await textOf(server, path)).toBe(document.replace('y="2"', `y="2" z='4'`));
    expect(await server.send('DELETE', `${path}/~~/a/@z`)).toMatchObject({ status: 200 });
    expect(await textOf(server, path)).toBe(document);
  });

  test.each([
    ['a/b%5B1%5D', elementType],
    ['a/@x', attributeType],
    ['a/namespace::*', bindingsType],
  ])('HEAD of %s has the fields of GET and no content', async (node, type) => {
    const { path, etag } = await stored(server, document);
    const got = await server.send('GET', `${path}/~~/${node}`);
    const head = await server.send('HEAD', `${path}/~~/${node}`);
    expect(head).toMatchObject({ status: 200, body: '', headers: { etag, 'content-type': type } });
    expect(head.headers['content-length']).toBe(String(got.body.length));
  });
});

describe('RFC 4825 7.10: namespace bindings', () => {
  test.each(['PUT', 'DELETE', 'POST'])('%s is 405 and allows reading', async (method) => {
    const { path } = await stored(server, document);
    const body = method === 'DELETE' ? undefined : '<a/>';
    const answer = await server.send(method, `${path}/~~/a/namespace::*`, { type: bindingsType, body });
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } });
  });
});

describe('RFC 4825 7.11: conditional operations on nodes compare the tag of the document', () => {
  test.each(['a/b%5B1%5D', 'a/@x', 'a/namespace::*'])('GET of %s', async (node) => {
    const { path, etag } = await stored(server, document);
    const get = (headers: Readonly<Record<string, string>>) => server.send('GET', `${path}/~~/${node}`, { headers });
    expect(await get({ 'If-None-Match': etag })).toMatchObject({ status: 304, body: '', headers: { etag } });
    expect(await get({ 'If-None-Match': '*' })).toMatchObject({ status: 304 });
    expect(await get({ 'If-None-Match': `W/${etag}` })).toMatchObject({ status: 304 });
    expect(await get({ 'If-None-Match': `"x", ${etag.slice(1, -1)}` })).toMatchObject({ status: 304 });
    expect(await get({ 'If-None-Match': '"x"' })).toMatchObject({ status: 200 });
    expect(await get({ 'If-Match': '"x"' })).toMatchObject({ status: 412 });
    expect(await get({ 'If-Match': etag })).toMatchObject({ status: 200 });
  });

  test('a node that is not there is 404 before its precondition', async () => {
    const { path } = await stored(server, document);
    for (const method of ['GET', 'DELETE']) {
      const answer = await server.send(method, `${path}/~~/a/c`, { headers: { 'If-Match': '"x"' } });
      expect(answer).toMatchObject({ status: 404 });
    }
  });

  test('the tag of a node changes with any other node', async () => {
    const { path, etag } = await stored(server, document);
    await server.send('PUT', `${path}/~~/a/@x`, { type: attributeType, body: "'9'" });
    const other = await server.send('GET', `${path}/~~/a/b%5B1%5D`);
    expect(other.headers.etag).not.toBe(etag);
    const stale = await server.send('PUT', `${path}/~~/a/b%5B1%5D`, {
      type: elementType,
      headers: { 'If-Match': etag },
      body: '<b k="1"/>',
    });
    expect(stale).toMatchObject({ status: 412 });
  });
});

test('OPTIONS names the methods of each kind of node', async () => {
  const { path } = await stored(server, document);
  const allow = async (node: string) => (await server.send('OPTIONS', `${path}/~~/${node}`)).headers.allow;
  expect(await allow('a/b')).toBe('GET, HEAD, PUT, DELETE, OPTIONS');
  expect(await allow('a/@x')).toBe('GET, HEAD, PUT, DELETE, OPTIONS');
  expect(await allow('a/namespace::*')).toBe('GET, HEAD, OPTIONS');
  const caps = await server.send('OPTIONS', 'xcap-caps/global/index/~~/xcap-caps/auids');
  expect(caps.headers.allow).toBe('GET, HEAD, OPTIONS');
});

test('RFC 4825 7.4: a document of another media type than its usage is refused, elements are not mixed up with documents', async () => {
  const { path } = await stored(server, document);
  for (const type of [plainType, attributeType, 'application/xml', 'text/xml']) {
    const answer = await server.send('PUT', `${path}/~~/a/b%5B1%5D`, { type, body: '<b/>' });
    expect(answer).toMatchObject({ status: 415, headers: { accept: elementType } });
  }
});
