// The own face over the real document service and store: what a client meets when nothing is made up.
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  alpha,
  closeSchemas,
  groupDocument,
  lists,
  membersSeeMembers,
  openRoom,
  type Room,
} from '../documents/documents.testkit.ts';
import { authenticator } from '../identity/authenticate.ts';
import { servedUsers } from '../identity/served.ts';
import { Refusal } from '../refusals.ts';
import type { HttpListener } from './http-listener.ts';
import { startXcapFace } from './own-face.ts';
import { exchange, keptLog, rawRequest, type WireAnswer } from './wire.testkit.ts';

const admin = 'sip:admin@red.example';
const server = 'sip:mcptt@red.example';
const alice = 'sip:alice@red.example';
const groupType = 'application/vnd.oma.poc.groups+xml';
const groupPath = '/org.openmobilealliance.groups/users/sip:groups@red.example/alpha.xml';
const byGroupId = `/org.openmobilealliance.groups/global/byGroupID/${alpha}`;

let room: Room;
let face: HttpListener;

beforeEach(async () => {
  room = await openRoom();
  const authenticate = authenticator({
    system: { servers: [server], administrators: [{ id: admin }] },
    identity: { trustedProxies: ['127.0.0.1'], missingCredentials: 403 },
    partners: [],
  });
  face = await startXcapFace({
    listen: { host: '127.0.0.1', port: 0 },
    root: 'http://gms.red.example/',
    documents: room.documents,
    groups: {
      async group(principal, groupId) {
        const found = await room.documents.findGroup(groupId);
        if (found === undefined) throw new Refusal('not-found');
        return room.documents.view(principal, found);
      },
    },
    authenticate: authenticate.own,
    knowsXui: servedUsers({ domains: ['red.example'], servedUsers: [], awayUsers: [] }).isHomed,
    log: keptLog(),
  });
});
afterEach(async () => {
  await face.close();
  await room.close();
});
afterAll(() => closeSchemas());

function as(
  identity: string,
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  body?: Uint8Array | string,
): Promise<WireAnswer> {
  const text = body === undefined ? undefined : Buffer.from(body).toString('latin1');
  return exchange(
    face.url,
    rawRequest(method, target, { 'X-3GPP-Asserted-Identity': `"${identity}"`, ...headers }, text),
  );
}

function putGroup(headers: Readonly<Record<string, string>> = {}, body = groupDocument({ members: [alice] })) {
  return as(admin, 'PUT', groupPath, { 'Content-Type': groupType, ...headers }, body);
}

describe('RFC 4825 7: a group from creation to deletion', () => {
  test('created once, read under both addresses with one tag, replaced, deleted', async () => {
    const created = await putGroup({ 'If-None-Match': '*' });
    expect(created).toMatchObject({ status: 201, body: '' });
    expect(await putGroup({ 'If-None-Match': '*' })).toMatchObject({ status: 412 });
    const { etag = '' } = created.headers;
    for (const target of [groupPath, byGroupId, byGroupId.replace('byGroupID', 'byGroup').replace('sip:', 'SIP%3a')]) {
      const read = await as(server, 'GET', target);
      expect(read).toMatchObject({ status: 200, headers: { etag, 'content-type': groupType } });
      expect(read.body).toBe(groupDocument({ members: [alice] }).toString());
    }
    expect(await as(server, 'GET', byGroupId, { 'If-None-Match': etag })).toMatchObject({ status: 304 });
    expect(await putGroup({ 'If-Match': '"other"' })).toMatchObject({ status: 412 });
    const again = await putGroup({ 'If-Match': etag });
    expect(again).toMatchObject({ status: 200, headers: { etag } });
    const changed = await putGroup({ 'If-Match': etag }, groupDocument({ members: [alice], name: 'Other' }));
    expect(changed.status).toBe(200);
    expect(changed.headers.etag).not.toBe(etag);
    expect((await as(server, 'HEAD', byGroupId)).headers.etag).toBe(changed.headers.etag);
    expect(await as(admin, 'DELETE', groupPath, { 'If-Match': etag })).toMatchObject({ status: 412 });
    expect(await as(admin, 'DELETE', groupPath)).toMatchObject({ status: 200 });
    expect(await as(server, 'GET', byGroupId)).toMatchObject({ status: 404 });
  });

  test('of many at once, exactly one creates and one replaces each state', async () => {
    const created = await Promise.all(Array.from({ length: 8 }, () => putGroup({ 'If-None-Match': '*' })));
    expect(created.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(412)]);
    const etag = created.find(({ status }) => status === 201)?.headers.etag ?? '';
    const replaced = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        putGroup({ 'If-Match': etag }, groupDocument({ members: [alice], name: `Name ${index}` })),
      ),
    );
    expect(replaced.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)]);
  });
});

describe('RFC 4825 8.2.5 and 11: what may not be stored', () => {
  test.each([
    ['schema-validation-error', Buffer.from('<group xmlns="urn:oma:xml:poc:list-service"><nonsense/></group>')],
    ['not-well-formed', Buffer.from('<group xmlns="urn:oma:xml:poc:list-service">')],
    ['not-well-formed', Buffer.from('')],
    ['not-utf-8', Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><group/>')],
    ['not-utf-8', Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e])],
    ['uniqueness-failure', groupDocument({ uri: 'sip:g@blue.example', members: [alice] })],
  ])('%s', async (element, body) => {
    const answer = await putGroup({}, Buffer.from(body));
    expect(answer).toMatchObject({ status: 409, headers: { 'content-type': 'application/xcap-error+xml' } });
    expect(answer.body).toContain(`<${element}`);
    expect(await as(admin, 'GET', groupPath)).toMatchObject({ status: 404 });
  });

  test('a directory that does not exist is no-parent', async () => {
    const target = groupPath.replace('/alpha.xml', '/new/alpha.xml');
    const answer = await as(admin, 'PUT', target, { 'Content-Type': groupType }, groupDocument({ members: [alice] }));
    expect(answer).toMatchObject({ status: 409, body: expect.stringContaining('<no-parent') });
  });

  test('a slash inside a name is data', async () => {
    const target = '/resource-lists/users/sip:alice@red.example';
    const type = { 'Content-Type': 'application/resource-lists+xml' };
    expect(await as(alice, 'PUT', `${target}/a%2Fb`, type, lists)).toMatchObject({ status: 201 });
    expect(await as(alice, 'GET', `${target}/a%2fb`)).toMatchObject({ status: 200 });
    expect(await as(alice, 'GET', `${target}/a/b`)).toMatchObject({ status: 404 });
    expect(await as(alice, 'GET', `${target}/a%252Fb`)).toMatchObject({ status: 404 });
  });
});

describe('TS 24.481 7.2.12.1: the member list', () => {
  const gmop = '<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request><get-excluding-memberlist/></request></document>';

  test('a member reads the group, the list only when a rule lets it', async () => {
    await putGroup();
    const reduced = await as(alice, 'GET', byGroupId);
    expect(reduced.status).toBe(200);
    expect(reduced.body).not.toContain('<list>');
    const full = await putGroup({}, groupDocument({ members: [alice], rules: membersSeeMembers }));
    expect(reduced.headers.etag).not.toBe(full.headers.etag);
    const read = await as(alice, 'GET', byGroupId);
    expect(read).toMatchObject({ status: 200, headers: { etag: full.headers.etag } });
    expect(read.body).toContain('<list>');
  });

  test('TS 24.481 6.3: retrieval without members', async () => {
    const { headers } = await putGroup({}, groupDocument({ members: [alice], rules: membersSeeMembers }));
    const type = { 'Content-Type': 'application/vnd.3gpp.GMOP+xml; charset=utf-8' };
    for (const identity of [alice, server]) {
      const answer = await as(identity, 'POST', byGroupId, type, gmop);
      expect(answer).toMatchObject({ status: 200, headers: { 'content-type': groupType } });
      expect(answer.headers.etag).not.toBe(headers.etag);
      expect(answer.body).toContain('<display-name>Alpha</display-name>');
      expect(answer.body).not.toContain(alice);
    }
    expect(await as('sip:eve@red.example', 'POST', byGroupId, type, gmop)).toMatchObject({ status: 404 });
  });
});

describe('RFC 4825 5.7: rights', () => {
  test.each([
    ['a client may not create groups', alice, 'PUT', groupPath, 403],
    ['a server may not delete groups', server, 'DELETE', groupPath, 403],
    [
      'nobody reads the lists of another',
      'sip:bob@red.example',
      'GET',
      '/resource-lists/users/sip:alice@red.example/index',
      403,
    ],
  ])('%s', async (_rule, identity, method, target, status) => {
    await putGroup();
    await as(
      alice,
      'PUT',
      '/resource-lists/users/sip:alice@red.example/index',
      { 'Content-Type': 'application/resource-lists+xml' },
      lists,
    );
    const body = method === 'PUT' ? groupDocument({ members: [alice] }) : undefined;
    expect(await as(identity, method, target, { 'Content-Type': groupType }, body)).toMatchObject({ status });
  });
});

describe('RFC 4825 8: rights come before existence', () => {
  const eve = 'sip:eve@red.example';
  const gmop = '<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request><get-excluding-memberlist/></request></document>';
  const seen = ({ status, body, headers }: WireAnswer) => ({ status, body, type: headers['content-type'] });

  test.each([
    ['a document', '/resource-lists/users/sip:alice@red.example/index', 403],
    ['an element', '/resource-lists/users/sip:alice@red.example/index/~~/resource-lists', 403],
    ['a directory', '/org.openmobilealliance.xcap-directory/users/sip:alice@red.example/directory.xml', 403],
    ['a group in the users tree', groupPath, 403],
    ['an element of it', `${groupPath}/~~/group/list-service`, 403],
    ['an element with a prefix that is not bound', `${groupPath}/~~/p:group`, 403],
    ['a group by its ID', byGroupId, 404],
    ['an element of it', `${byGroupId}/~~/group/list-service`, 404],
  ])('%s looks to a stranger as if it were not there, and the other way round', async (_name, target, status) => {
    const methods = [
      'GET',
      'HEAD',
      ...(target === byGroupId ? ['POST'] : []),
      ...(status === 403 ? ['PUT', 'DELETE'] : []),
    ];
    const ask = async () => {
      const answers: object[] = [];
      for (const method of methods) {
        const type = method === 'POST' ? 'application/vnd.3gpp.GMOP+xml' : 'text/plain';
        const body = method === 'POST' ? gmop : method === 'PUT' ? '<a/>' : undefined;
        answers.push(seen(await as(eve, method, target, { 'Content-Type': type }, body)));
      }
      return answers;
    };
    const absent = await ask();
    await putGroup();
    const type = { 'Content-Type': 'application/resource-lists+xml' };
    await as(alice, 'PUT', '/resource-lists/users/sip:alice@red.example/index', type, lists);
    expect(await ask()).toEqual(absent);
    expect(absent[0]).toMatchObject({ status });
  });

  test('the owner of a tree is told what is not there', async () => {
    const answer = await as(alice, 'GET', '/resource-lists/users/sip:alice@red.example/index');
    expect(answer).toMatchObject({ status: 404, body: 'not-found: No such resource\n' });
  });
});

describe('documents that the server composes', () => {
  test('RFC 4825 12: capabilities list themselves and the groups', async () => {
    const answer = await as(alice, 'GET', '/xcap-caps/global/index');
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/xcap-caps+xml' } });
    expect(answer.body).toContain('<auid>xcap-caps</auid>');
    expect(answer.body).toContain('<auid>org.openmobilealliance.groups</auid>');
    expect(answer.body).toContain('<namespace>urn:ietf:params:xml:ns:xcap-caps</namespace>');
    expect(await as(alice, 'GET', '/xcap-caps/users/sip:alice@red.example/index')).toMatchObject({ status: 404 });
  });

  test('the directory names documents by paths that can be fetched, with their tags', async () => {
    const type = { 'Content-Type': 'application/resource-lists+xml' };
    const home = '/resource-lists/users/sip:alice@red.example';
    await as(alice, 'PUT', `${home}/index`, type, lists);
    const directory = await as(
      alice,
      'GET',
      '/org.openmobilealliance.xcap-directory/users/sip:alice@red.example/directory.xml',
    );
    expect(directory).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/vnd.oma.xcap-directory+xml' },
    });
    const [, uri = '', etag] = /uri="([^"]+)" etag="([^"]+)"/.exec(directory.body) ?? [];
    const read = await as(alice, 'GET', new URL(uri, 'http://gms.red.example/').pathname);
    expect(read).toMatchObject({ status: 200 });
    expect(read.headers.etag).toBe(`"${etag}"`);
  });
});
