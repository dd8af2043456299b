// Who is calling by the client certificate of a TLS connection on the own face, alone and beside other credentials.
// RFC 5280 clause 4.2.1.6; TS 24.482 annex A for what comes before it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  alpha,
  closeSchemas,
  groupDocument,
  homeKey,
  lists,
  membersSeeMembers,
  openRoom,
  type Room,
} from '../documents/documents.testkit.ts';
import { accessTokenVerifier } from '../identity/access-token.ts';
import { type AuthenticationSettings, authenticator } from '../identity/authenticate.ts';
import type { AuthorizationSchemes } from '../identity/authorization.ts';
import {
  audience,
  challengeFor,
  digestAuthorization,
  digestWith,
  issuer,
  keySetText,
  type TestClock,
  tokenIssuer,
} from '../identity/credentials.testkit.ts';
import { jwksSource } from '../identity/jwks-source.ts';
import { servedUsers } from '../identity/served.ts';
import { Refusal } from '../refusals.ts';
import { type TestCertificate, type TestNames, testAuthority, testCertificate } from './certificates.testkit.ts';
import type { HttpListener, TlsMaterial } from './http-listener.ts';
import { startXcapFace } from './own-face.ts';
import { exchange, keptLog, rawRequest, Wire, type WireAnswer } from './wire.testkit.ts';

const admin = 'sip:admin@red.example';
const server = 'sip:mcptt@red.example';
const alice = 'sip:alice@red.example';
const bob = 'sip:bob@red.example';
const { auid, xui, name } = homeKey('alpha.xml');
const groupPath = `/${auid}/users/${xui}/${name}`;
const byGroupId = `/${auid}/global/byGroupID/${alpha}`;
const listsOf = (user: string): string => `/resource-lists/users/${user}/index`;
const putLists = { 'Content-Type': 'application/resource-lists+xml' };
const putGroup = { 'Content-Type': 'application/vnd.oma.poc.groups+xml' };
const group = groupDocument({ members: [alice], rules: membersSeeMembers }).toString();
const asserting = (identity: string) => ({ 'X-3GPP-Asserted-Identity': `"${identity}"` });

const clock: TestClock = { now: 1_800_000_000_000 };
const idms = tokenIssuer('k1', clock);
const servername = 'gms.red.example';
let authority: TestCertificate;
let own: TestCertificate;
let folder: string;
let room: Room;
const faces: HttpListener[] = [];

beforeAll(async () => {
  authority = await testAuthority('red CA');
  own = await testCertificate(authority, { dns: [servername] });
  folder = await mkdtemp(join(tmpdir(), 'mcgw-certified-'));
  await writeFile(join(folder, 'jwks.json'), keySetText(idms));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await closeSchemas();
});
beforeEach(async () => {
  room = await openRoom();
});
afterEach(async () => {
  for (const face of faces.splice(0)) await face.close();
  await room.close();
});

async function started(
  identity: Partial<AuthenticationSettings['identity']> = {},
  schemes: AuthorizationSchemes = {},
  tls: TlsMaterial = { ...own, clientCa: authority.cert },
): Promise<HttpListener> {
  const now = (): number => clock.now;
  const keys = jwksSource(join(folder, 'jwks.json'), { now });
  const authenticate = authenticator({
    system: { servers: [server], administrators: [{ id: admin }] },
    identity: { trustedProxies: ['192.0.2.1'], missingCredentials: 403, ...identity },
    schemes: { tokens: { verifier: accessTokenVerifier({ issuer, audience, keys, now }) }, ...schemes },
    partners: [{ name: 'blue', gms: 'sip:gms@blue.example', certificates: [], sipFrom: [] }],
  });
  const face = await startXcapFace({
    listen: { host: '127.0.0.1', port: 0, tls },
    root: 'https://gms.red.example/',
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
  faces.push(face);
  return face;
}

/** Sends requests, each on a connection of its own, with a certificate that carries these names. */
async function caller(face: HttpListener, names: TestNames) {
  const certificate = await testCertificate(authority, names);
  const tls = { ca: authority.cert, servername, ...certificate };
  return (
    method: string,
    target: string,
    headers: Readonly<Record<string, string>> = {},
    body?: Uint8Array | string,
  ): Promise<WireAnswer> =>
    exchange(face.url, rawRequest(method, target, headers, body === undefined ? undefined : body.toString()), tls);
}

const refusedAs = (status: number, code: string) => ({ status, body: expect.stringMatching(`^${code}: `) });

describe('RFC 5280 4.2.1.6: SIP and TEL URIs in a client certificate are the identities of the caller', () => {
  let face: HttpListener;
  let administer: Awaited<ReturnType<typeof caller>>;
  beforeEach(async () => {
    face = await started();
    administer = await caller(face, { uris: ['SIP:admin@RED.example'] });
    expect(await administer('PUT', groupPath, putGroup, group)).toMatchObject({ status: 201 });
  });

  test('an own MC service server reads a group; an administrator has written it', async () => {
    const send = await caller(face, { dns: ['mcptt.red.example'], uris: ['https://mcptt.red.example/', server] });
    expect(await send('GET', byGroupId)).toMatchObject({ status: 200, body: group });
    expect(await send('PUT', groupPath, putGroup, group)).toMatchObject(refusedAs(403, 'forbidden'));
  });

  test('a client is one: it reads the groups it is a member of, keeps its own documents, and no others', async () => {
    const send = await caller(face, { uris: [alice] });
    expect(await send('GET', byGroupId)).toMatchObject({ status: 200, body: expect.stringContaining(alice) });
    expect(await send('PUT', listsOf(alice), putLists, lists)).toMatchObject({ status: 201 });
    expect(await send('PUT', listsOf(bob), putLists, lists)).toMatchObject(refusedAs(403, 'forbidden'));
    expect(await send('PUT', groupPath, putGroup, group)).toMatchObject(refusedAs(403, 'forbidden'));
  });

  test('a URI that belongs to nobody here is a client without rights to anything', async () => {
    const send = await caller(face, { uris: ['sip:eve@yellow.example'] });
    expect(await send('GET', byGroupId)).toMatchObject(refusedAs(404, 'not-found'));
    expect(await send('GET', listsOf(alice))).toMatchObject(refusedAs(403, 'forbidden'));
  });

  test('all of several URIs count', async () => {
    const send = await caller(face, { uris: ['tel:+49-30-1', alice, bob] });
    for (const user of [alice, bob]) {
      expect(await send('PUT', listsOf(user), putLists, lists)).toMatchObject({ status: 201 });
    }
    const servant = await caller(face, { uris: ['sip:eve@yellow.example', server] });
    expect(await servant('GET', byGroupId)).toMatchObject({ status: 200 });
  });

  test('requests of one connection are all of the same caller, and those of another one are not', async () => {
    const tls = { ca: authority.cert, servername };
    const first = await Wire.open(face.url, { ...tls, ...(await testCertificate(authority, { uris: [server] })) });
    const second = await Wire.open(face.url, { ...tls, ...(await testCertificate(authority, { uris: [bob] })) });
    for (const _ of [1, 2]) {
      for (const wire of [first, second]) wire.write(rawRequest('GET', byGroupId));
      expect(await first.answer()).toMatchObject({ status: 200 });
      expect(await second.answer()).toMatchObject({ status: 404 });
    }
    first.destroy();
    second.destroy();
  });

  test('the PSI of a partner GMS has no business here', async () => {
    const send = await caller(face, { uris: ['sip:gms@blue.example'] });
    expect(await send('GET', byGroupId)).toMatchObject(refusedAs(403, 'credentials-refused'));
  });

  const nobodies: readonly (readonly [string, TestNames])[] = [
    ['a host name', { dns: ['mcptt.red.example'] }],
    ['URIs of other schemes', { uris: ['https://red.example/', 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6'] }],
    ['an address', { addresses: ['127.0.0.1'] }],
    ['a host name that looks like a URI', { dns: [admin] }],
    ['a host name with a URI smuggled in', { dns: [`x, URI:${admin}`] }],
    ['a host name with a quoted URI smuggled in', { dns: [`x", URI:"${admin}`, `", URI:${admin}, DNS:"`] }],
  ];
  test.each(nobodies)('a certificate with %s names nobody: there are no credentials', async (_, names) => {
    const send = await caller(face, names);
    expect(await send('GET', byGroupId)).toMatchObject(refusedAs(403, 'credentials-missing'));
    const asking = await started({ missingCredentials: 401 });
    expect(await (await caller(asking, names))('GET', byGroupId)).toMatchObject(refusedAs(401, 'credentials-required'));
  });

  test.each([
    ['two raw @', ['sip:admin@red.example@yellow.example']],
    ['no scheme', ['admin@red.example']],
    ['a space before it', [` ${admin}`]],
    ['a second one behind a comma', [`sip:eve@yellow.example, URI:${admin}`]],
    ['a second one behind quotes', [`sip:eve@yellow.example", URI:"${admin}`]],
    ['a second one in a URI of another scheme', [`urn:x:a, URI:${admin}`]],
    ['a NUL behind it', [`${admin}\u0000.yellow.example`]],
    ['nothing in it', ['']],
    ['a right one before a wrong one', [admin, 'sip:']],
    ['a right one behind a wrong one', ['tel:admin', admin]],
  ])('a certificate whose URI has %s is refused', async (_, uris) => {
    const send = await caller(face, { uris });
    expect(await send('GET', byGroupId)).toMatchObject(refusedAs(403, 'credentials-refused'));
  });

  test('RFC 3261 25.1: a comma or an apostrophe in the user part makes no second identity', async () => {
    for (const user of [`sip:eve,${admin}`, "sip:o'brien@red.example"]) {
      const send = await caller(face, { uris: [user] });
      expect(await send('GET', listsOf(encodeURIComponent(user)))).toMatchObject(refusedAs(404, 'not-found'));
      expect(await send('GET', groupPath)).toMatchObject(refusedAs(403, 'forbidden'));
    }
  });

  test('a certificate of another CA gets no handshake', async () => {
    const strange = await testCertificate(await testAuthority('red CA'), { uris: [admin] });
    const tls = { ca: authority.cert, servername, ...strange };
    await expect(exchange(face.url, rawRequest('GET', groupPath), tls)).rejects.toThrow();
  });
});

test('without a client CA nobody is asked for a certificate, and none counts', async () => {
  const send = await caller(await started({}, {}, own), { uris: [admin] });
  expect(await send('GET', groupPath)).toMatchObject(refusedAs(403, 'credentials-missing'));
});

describe('TS 24.482 A.2: what the request carries comes before the certificate', () => {
  const bearer = async (identity: string) => ({ Authorization: `Bearer ${await idms.token({ mcptt_id: identity })}` });

  test('a token decides, and the certificate adds nothing to it', async () => {
    const face = await started();
    for (const uris of [[bob], [admin], ['malformed']]) {
      const send = await caller(face, { uris });
      expect(await send('GET', listsOf(alice), await bearer(alice))).toMatchObject(refusedAs(404, 'not-found'));
      expect(await send('GET', groupPath, await bearer(alice))).toMatchObject(refusedAs(403, 'forbidden'));
    }
  });

  test.each([
    ['Bearer nonsense', 401],
    ['Basic eDp5', 403],
    ['Digest username="admin"', 403],
    ['', 403],
  ])('a wrong Authorization is not passed over for the certificate: `%s`', async (Authorization, status) => {
    const send = await caller(await started(), { uris: [admin] });
    expect(await send('GET', groupPath)).toMatchObject({ status: 404 });
    expect(await send('GET', groupPath, { Authorization })).toMatchObject({ status });
  });

  test('a user of Digest decides, too', async () => {
    const digest = digestWith('red.example', [['alice', 'secret', alice]], clock);
    const face = await started({}, { digest });
    const send = await caller(face, { uris: ['https://alice.red.example/'] });
    const challenge = challengeFor('SHA-256', (await send('GET', groupPath)).headers['www-authenticate']);
    const named = await caller(face, { uris: [admin] });
    const answering = { challenge, name: 'alice', password: 'secret', method: 'GET', uri: groupPath };
    const Authorization = digestAuthorization(answering);
    expect(await named('GET', groupPath, { Authorization })).toMatchObject(refusedAs(403, 'forbidden'));
    expect(await named('GET', groupPath)).toMatchObject(refusedAs(404, 'not-found'));
    const wrong = digestAuthorization({ ...answering, password: 'guessed', nc: 2 });
    expect(await named('GET', groupPath, { Authorization: wrong })).toMatchObject({ status: 401 });
  });

  test('a trusted proxy asserts whom it likes; the certificate is its own', async () => {
    const face = await started({ trustedProxies: ['127.0.0.1'] });
    for (const uris of [[admin], ['malformed'], ['https://proxy.red.example/']]) {
      const send = await caller(face, { uris });
      expect(await send('GET', listsOf(alice), asserting(alice))).toMatchObject(refusedAs(404, 'not-found'));
      expect(await send('GET', groupPath, asserting(alice))).toMatchObject(refusedAs(403, 'forbidden'));
    }
    const send = await caller(face, { uris: [admin] });
    expect(await send('GET', groupPath, asserting('nobody'))).toMatchObject(refusedAs(403, 'credentials-refused'));
  });

  test('an assertion from anywhere else is refused, also of the identity in the certificate', async () => {
    const send = await caller(await started(), { uris: [alice] });
    for (const identity of [alice, admin]) {
      for (const field of ['X-3GPP-Asserted-Identity', 'P-Asserted-Identity']) {
        expect(await send('GET', listsOf(alice), { [field]: `<${identity}>` })).toMatchObject(
          refusedAs(403, 'identity-not-trusted'),
        );
      }
    }
  });
});
