// RFC 4825 clause 5: application usages. What of a document a caller may see and change holds for its nodes too.
import { describe, expect, test } from '@jest/globals';
import { groupDocument, membersSeeMembers } from '../../src/documents/documents.testkit.ts';
import { vectorsOf } from './vectors.ts';
import {
  elementType,
  groups,
  groupType,
  keeper,
  mcServer,
  nstest,
  nstestNamespace,
  other,
  own,
  plain,
  plainType,
  stored,
  textOf,
  xcapServer,
} from './xcap-server.ts';

const server = xcapServer();

vectorsOf('5', server);

/** Puts a group of which `other` is a member; resolves with its group ID and path. */
async function group(name: string, rules?: string): Promise<{ readonly path: string; readonly byId: string }> {
  const uri = `sip:${name}@mcx.alpha.example`;
  const path = own(groups, `${name}.xml`);
  const body = groupDocument({ uri, members: [other, 'sip:third@mcx.alpha.example'], ...(rules ? { rules } : {}) });
  expect(await server.send('PUT', path, { type: groupType, body })).toMatchObject({ status: 201 });
  return { path, byId: `${groups}/global/byGroupID/${uri}` };
}

describe('RFC 4825 5.2: default document namespace', () => {
  test('elements without prefix are in it, whatever the document declares; attributes are in none', async () => {
    const document = `<x:a xmlns:x="${nstestNamespace}" xmlns="urn:other" x:id="1" id="2"><x:b/><b/></x:a>`;
    const { path } = await stored(server, document, nstest, 'application/vnd.example.nstest+xml');
    expect(await server.send('GET', `${path}/~~/a/b`)).toMatchObject({ status: 200, body: '<x:b/>' });
    expect(await server.send('GET', `${path}/~~/a/@id`)).toMatchObject({ status: 200, body: '"2"' });
    const bound = `${path}/~~/a/o:b?xmlns(o=urn:other)`;
    expect(await server.send('GET', bound)).toMatchObject({ status: 200, body: '<b/>' });
  });

  test('a usage without one finds elements in no namespace', async () => {
    const { path } = await stored(server, '<a><b xmlns="urn:x"/><b/></a>');
    expect(await server.send('GET', `${path}/~~/a/b`)).toMatchObject({ status: 200, body: '<b/>' });
  });
});

describe('RFC 4825 5.7: authorization policies', () => {
  test.each(['GET', 'HEAD', 'PUT', 'DELETE'])(
    '%s of an element of another user is 403, also when it is not there',
    async (method) => {
      const { path } = await stored(server, '<a><b/></a>');
      for (const node of ['a/b', 'a/c']) {
        const body = method === 'PUT' ? '<b/>' : undefined;
        const answer = await server.send(method, `${path}/~~/${node}`, { as: other, type: elementType, body });
        expect(answer).toMatchObject({ status: 403 });
      }
      expect(await textOf(server, path)).toBe('<a><b/></a>');
    },
  );

  test.each(['POST', 'PATCH', 'TRACE'])(
    'RFC 4825 8: rights come before methods: %s on what another user has is 403',
    async (method) => {
      const { path } = await stored(server, '<a><b/></a>');
      for (const target of [
        path,
        own(plain, 'nothing.xml'),
        `${path}/~~/a/b`,
        `${path}/~~/a/p:b`,
        `${path}/~~/a/namespace::*`,
      ]) {
        const asked = (as: string) => server.send(method, target, { as });
        expect(await asked(other)).toMatchObject({ status: 403 });
        expect(await asked(keeper)).toMatchObject({ status: target.includes('p:b') ? 400 : 405 });
      }
      const directory = `org.openmobilealliance.xcap-directory/users/${keeper}/directory.xml`;
      for (const target of [directory, `${directory}/~~/xcap-directory`]) {
        expect(await server.send('PUT', target, { as: other, body: '<a/>' })).toMatchObject({ status: 403 });
        expect(await server.send('PUT', target, { body: '<a/>' })).toMatchObject({ status: 405 });
      }
    },
  );

  test('a stranger learns nothing of documents that are not there', async () => {
    const answer = await server.send('PUT', `${own(plain, 'nothing.xml')}/~~/a/b`, {
      as: other,
      type: elementType,
      body: '<b/>',
    });
    expect(answer).toMatchObject({ status: 403 });
  });

  test('TS 24.481: administrators alone write elements of groups, within their patterns', async () => {
    const { path } = await group('rights');
    const name = `${path}/~~/group/list-service/display-name`;
    const send = (as: string) =>
      server.send('PUT', name, { as, type: elementType, body: '<display-name>x</display-name>' });
    for (const as of [other, mcServer, 'sip:limited@mcx.alpha.example'])
      expect(await send(as)).toMatchObject({ status: 403 });
    expect(await send(keeper)).toMatchObject({ status: 200 });
  });

  test('TS 24.481: a limited administrator cannot move a group out of its patterns by an attribute', async () => {
    const limited = 'sip:limited@mcx.alpha.example';
    const path = own(groups, 'fire.xml');
    const body = groupDocument({ uri: 'sip:fire-1@mcx.alpha.example', members: [other] });
    expect(await server.send('PUT', path, { as: limited, type: groupType, body })).toMatchObject({ status: 201 });
    const put = (uri: string) =>
      server.send('PUT', `${path}/~~/group/list-service/@uri`, {
        as: limited,
        type: 'application/xcap-att+xml',
        body: `"${uri}"`,
      });
    expect(await put('sip:police-1@mcx.alpha.example')).toMatchObject({ status: 403 });
    expect(await put('sip:fire-2@mcx.alpha.example')).toMatchObject({ status: 200 });
  });
});

describe('TS 24.481 7.2.12.1: the member list is seen by those whom the rules allow, through a selector as little as without one', () => {
  const hidden = [
    'group/list-service/list',
    'group/list-service/list/entry%5B1%5D',
    'group/list-service/*%5B2%5D/entry%5B1%5D/@uri',
  ];

  test.each(['users tree', 'byGroupID'])('a client without the right finds no list, %s', async (address) => {
    const { path, byId } = await group(`hidden-${address.slice(0, 2).toLowerCase()}`);
    const at = address === 'byGroupID' ? byId : path;
    for (const node of hidden) {
      expect(await server.send('GET', `${at}/~~/${node}`, { as: other })).toMatchObject({ status: 404 });
      expect(await server.send('GET', `${at}/~~/${node}`, { as: mcServer })).toMatchObject({ status: 200 });
    }
    const whole = await server.send('GET', at, { as: other });
    expect(whole.body).not.toContain('<list>');
    // what it does see has the tag of its own view, not that of the stored document
    const name = await server.send('GET', `${at}/~~/group/list-service/display-name`, { as: other });
    expect(name).toMatchObject({
      status: 200,
      body: '<display-name>Alpha</display-name>',
      headers: { etag: whole.headers.etag },
    });
    const full = await server.send('GET', at, { as: mcServer });
    expect(full.headers.etag).not.toBe(whole.headers.etag);
    // the element that holds the list comes without it
    const service = await server.send('GET', `${at}/~~/group/list-service`, { as: other });
    expect(service.body).not.toContain('entry');
    const bindings = await server.send('GET', `${at}/~~/group/list-service/list/namespace::*`, { as: other });
    expect(bindings).toMatchObject({ status: 404 });
  });

  test('a client with the right reads it', async () => {
    const { path } = await group('shown', membersSeeMembers);
    expect(
      await server.send('GET', `${path}/~~/group/list-service/list/entry%5B1%5D/@uri`, { as: other }),
    ).toMatchObject({
      status: 200,
      body: `"${other}"`,
    });
  });
});

describe('TS 24.481 7.2.10: nodes at the address by group ID are for reading', () => {
  test.each(['PUT', 'DELETE', 'POST'])('%s is 405 and says what is allowed', async (method) => {
    const { byId, path } = await group(`reading-${method.toLowerCase()}`);
    const body = method === 'DELETE' ? undefined : '<display-name>x</display-name>';
    const before = await textOf(server, path);
    const answer = await server.send(method, `${byId}/~~/group/list-service/display-name`, { type: elementType, body });
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } });
    expect(await textOf(server, path)).toBe(before);
  });

  test('a node has one tag under both addresses', async () => {
    const { byId, path } = await group('one-tag');
    const node = '~~/group/list-service/@uri';
    const [one, two] = [await server.send('GET', `${byId}/${node}`), await server.send('GET', `${path}/${node}`)];
    expect(one).toMatchObject({ status: 200, body: '"sip:one-tag@mcx.alpha.example"' });
    expect([two.body, two.headers.etag]).toEqual([one.body, one.headers.etag]);
  });

  test('a group that is not there is 404, a prefix that is not bound 400', async () => {
    const byId = `${groups}/global/byGroupID/sip:nothing@mcx.alpha.example/~~/group`;
    expect(await server.send('GET', byId)).toMatchObject({ status: 404 });
    expect(await server.send('GET', `${byId}/p:x`)).toMatchObject({ status: 400 });
  });
});

describe('RFC 4825 5.1: application usages from configuration', () => {
  test('their documents have their media type; others are 415', async () => {
    const path = own(plain, 'typed.xml');
    expect(await server.send('PUT', path, { type: 'application/xml', body: '<a/>' })).toMatchObject({ status: 415 });
    expect(await server.send('PUT', path, { type: plainType, body: '<a/>' })).toMatchObject({ status: 201 });
    expect((await server.send('GET', path)).headers['content-type']).toBe(plainType);
  });
});
