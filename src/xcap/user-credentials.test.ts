// Credentials that users bring to the own face themselves, on the wire: access tokens and Digest, with and beside asserted identities.
// TS 24.482 annex A, TS 33.180 annex B, RFC 6750, RFC 7616.
import { createHmac, createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { accessTokenVerifier } from '../identity/access-token.ts';
import type { AuthorizationSchemes, TokenCheck } from '../identity/authorization.ts';
import {
  audience,
  challengeFor,
  digestAuthorization,
  digestWith,
  issuer,
  keySetText,
  type TestClock,
  type TokenIssuer,
  tokenIssuer,
} from '../identity/credentials.testkit.ts';
import { jwksSource } from '../identity/jwks-source.ts';
import { harbourKey, ines, listKey, listPath, listType, type RunningFace, runningFace } from './own-face.testkit.ts';
import { exchange, rawRequest, type WireAnswer } from './wire.testkit.ts';

const joe = 'sip:joe@blue.example';
const server = 'sip:mcptt@blue.example';
const harbourPath = `/xcap-root/${harbourKey.auid}/users/sip:groups@blue.example/${harbourKey.name}`;

const clock: TestClock = { now: 0 };
const closers: (() => Promise<unknown>)[] = [];
let folder: string;
let idms: TokenIssuer;

beforeEach(async () => {
  clock.now = 1_800_000_000_000;
  folder = await mkdtemp(join(tmpdir(), 'mcgw-users-'));
  idms = tokenIssuer('k1', clock);
  await writeFile(join(folder, 'jwks.json'), keySetText(idms));
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await rm(folder, { recursive: true });
});

function tokens(location = join(folder, 'jwks.json')): TokenCheck {
  const now = (): number => clock.now;
  return { verifier: accessTokenVerifier({ issuer, audience, keys: jwksSource(location, { now }), now }) };
}

async function started(schemes: AuthorizationSchemes, trustedProxies = ['127.0.0.1']): Promise<RunningFace> {
  const face = await runningFace({}, { trustedProxies }, undefined, schemes);
  closers.push(face.close);
  face.store(listKey, '<list/>');
  return face;
}

/** A request that carries only these header fields. */
function bare(
  face: RunningFace,
  headers: Readonly<Record<string, string>>,
  method = 'GET',
  target = listPath,
  body?: string,
): Promise<WireAnswer> {
  return exchange(face.url, rawRequest(method, target, headers, body));
}

const bearer = (token: string): { readonly Authorization: string } => ({ Authorization: `Bearer ${token}` });
const asserting = (identity: string): { readonly 'X-3GPP-Asserted-Identity': string } => ({
  'X-3GPP-Asserted-Identity': `"${identity}"`,
});

describe('TS 33.180 B: access tokens', () => {
  let face: RunningFace;
  beforeEach(async () => {
    face = await started({ tokens: tokens() });
  });

  test('TS 24.482 A.2.3: the MC service ID in the token is the identity', async () => {
    const headers = bearer(await idms.token({ mcptt_id: ines }));
    expect(await bare(face, headers)).toMatchObject({ status: 200, body: '<list/>' });
    const put = { ...headers, 'Content-Type': listType };
    expect((await bare(face, put, 'PUT', listPath, '<changed/>')).status).toBe(200);
    expect(face.text(listKey)).toBe('<changed/>');
  });

  test.each(['mcptt_id', 'mcvideo_id', 'mcdata_id'])('the claim %s alone is enough', async (claim) => {
    expect((await bare(face, bearer(await idms.token({ [claim]: ines })))).status).toBe(200);
  });

  test("somebody else's documents stay closed", async () => {
    expect((await bare(face, bearer(await idms.token({ mcptt_id: joe })))).status).toBe(403);
  });

  test('an administrator may come with a token', async () => {
    face.store(harbourKey, '<group/>');
    const headers = bearer(await idms.token({ mcptt_id: 'sip:admin@blue.example' }));
    expect((await bare(face, headers, 'GET', harbourPath)).status).toBe(200);
  });

  const forgeries: readonly (readonly [string, () => Promise<string>])[] = [
    ['signed with the key of a stranger', () => tokenIssuer('k1', clock).token({ mcptt_id: ines })],
    ['that has expired', () => idms.token({ mcptt_id: ines, exp: clock.now / 1000 - 31 })],
    ['that is not valid yet', () => idms.token({ mcptt_id: ines, nbf: clock.now / 1000 + 60 })],
    ['for another audience', () => idms.token({ mcptt_id: ines, aud: 'kms.blue.example' })],
    ['of another issuer', () => idms.token({ mcptt_id: ines, iss: 'https://idm.red.example' })],
    ['without an MC service ID', () => idms.token()],
    ['without a signature', async () => unsigned(await idms.token({ mcptt_id: ines }))],
    ['signed with HMAC and our public key', async () => confused(await idms.token({ mcptt_id: ines }))],
    ['whose claims were changed', async () => changed(await idms.token({ mcptt_id: joe }), joe, ines)],
    ['that is none', async () => 'nonsense'],
  ];
  test.each(forgeries)(
    'RFC 6750 3.1: a token %s is 401 invalid_token, also beside a trusted assertion',
    async (_, forge) => {
      const headers = bearer(await forge());
      for (const beside of [{}, asserting(ines)]) {
        expect(await bare(face, { ...beside, ...headers })).toMatchObject({
          status: 401,
          headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
        });
      }
    },
  );

  test('a token ends while the connection lives: expiry counts at each request', async () => {
    const headers = bearer(await idms.token({ mcptt_id: ines }));
    expect((await bare(face, headers)).status).toBe(200);
    clock.now += 631_000;
    expect((await bare(face, headers)).status).toBe(401);
  });

  test('RFC 6750 3.1: a token without a scope of group management is 403 insufficient_scope', async () => {
    const answer = await bare(face, bearer(await idms.token({ mcptt_id: ines, scope: '3gpp:mc:ptt_service' })));
    expect(answer).toMatchObject({ status: 403, body: expect.stringMatching(/^insufficient-scope: /) });
    expect(answer.headers['www-authenticate']).toMatch(
      /^Bearer error="insufficient_scope", scope="3gpp:mc:ptt_group_management_service /,
    );
  });

  test.each(['Bearer', 'Bearer a.b.c d.e.f', 'Bearer a, Bearer b'])(
    'RFC 6750 3.1: `%s` is 400 invalid_request',
    async (Authorization) => {
      expect(await bare(face, { ...asserting(ines), Authorization })).toMatchObject({
        status: 400,
        headers: { 'www-authenticate': 'Bearer error="invalid_request"' },
      });
    },
  );

  test('a repeated Authorization field is 400, whichever of the two is right', async () => {
    const right = `Authorization: Bearer ${await idms.token({ mcptt_id: ines })}`;
    for (const pair of [
      [right, 'Authorization: Bearer x'],
      ['AUTHORIZATION: Bearer x', right],
      [right, right],
    ]) {
      const raw = rawRequest('GET', listPath).replace('\r\n\r\n', `\r\n${pair.join('\r\n')}\r\n\r\n`);
      expect((await exchange(face.url, raw)).status).toBe(400);
    }
  });

  test.each(['Basic aW5lczpzZWNyZXQ=', 'Digest username="ines"', ''])(
    'a scheme that is not configured is refused, not passed over: `%s`',
    async (Authorization) => {
      expect((await bare(face, { ...asserting(ines), Authorization })).status).toBe(403);
    },
  );

  test('without credentials: 403 as TS 24.482 has it', async () => {
    expect(await bare(face, {})).toMatchObject({ status: 403, body: expect.stringMatching(/^credentials-missing: /) });
  });

  test('TS 24.484 6.2.4.1: MC service servers have asserted identities; a token that names one is 403', async () => {
    for (const claims of [{ mcptt_id: server }, { mcptt_id: ines, mcdata_id: server }]) {
      expect(await bare(face, bearer(await idms.token(claims)))).toMatchObject({
        status: 403,
        body: expect.stringMatching(/^credentials-refused: /),
      });
    }
  });
});

describe('TS 24.482 A.2: token and asserted identity', () => {
  test('Bearer wins over the identity that a trusted proxy asserts', async () => {
    const face = await started({ tokens: tokens() });
    const asJoe = bearer(await idms.token({ mcptt_id: joe }));
    expect((await bare(face, { ...asserting(ines), ...asJoe })).status).toBe(403);
    const asInes = bearer(await idms.token({ mcptt_id: ines }));
    expect((await bare(face, { ...asserting(joe), ...asInes })).status).toBe(200);
    // The assertion lends the token nothing
    expect((await bare(face, { ...asserting(server), ...asJoe })).status).toBe(403);
  });

  test('an assertion beside a good token must still be one', async () => {
    const face = await started({ tokens: tokens() });
    const good = bearer(await idms.token({ mcptt_id: ines }));
    expect((await bare(face, { ...good, 'X-3GPP-Asserted-Identity': 'nobody' })).status).toBe(403);
  });

  test('a UE that sends X-3GPP-Asserted-Identity through a UE-facing proxy is 403, its token good or not', async () => {
    const face = await started({ tokens: tokens() }, ['192.0.2.1']);
    const good = bearer(await idms.token({ mcptt_id: ines }));
    expect((await bare(face, good)).status).toBe(200);
    for (const headers of [{ ...asserting(ines), ...good }, { ...asserting(ines), ...bearer('x') }, asserting(ines)]) {
      expect(await bare(face, headers)).toMatchObject({
        status: 403,
        body: expect.stringMatching(/^identity-not-trusted: /),
      });
    }
    expect((await bare(face, { ...good, 'P-Asserted-Identity': `<${ines}>` })).status).toBe(403);
  });
});

describe('RFC 7517: keys at a URL', () => {
  test('a new key is fetched when a token names it, an old one counts until the set is fresh again', async () => {
    const next = tokenIssuer('k2', clock);
    const source = await keyServer(keySetText(idms));
    const face = await started({ tokens: tokens(source.url) });
    const old = bearer(await idms.token({ mcptt_id: ines, exp: clock.now / 1000 + 86_400 }));
    expect((await bare(face, old)).status).toBe(200);
    source.text = keySetText(next);
    clock.now += 31_000;
    expect((await bare(face, bearer(await next.token({ mcptt_id: ines })))).status).toBe(200);
    expect((await bare(face, old)).status).toBe(401);
    expect(source.requests).toBe(2);
  });

  test('while no key was ever loaded a token is 503 with Retry-After, and asserted identities go on', async () => {
    const source = await keyServer('');
    const face = await started({ tokens: tokens(source.url) });
    const headers = bearer(await idms.token({ mcptt_id: ines }));
    expect(await bare(face, headers)).toMatchObject({ status: 503, headers: { 'retry-after': '30' } });
    expect((await bare(face, asserting(ines))).status).toBe(200);
    source.text = keySetText(idms);
    clock.now += 31_000;
    expect((await bare(face, headers)).status).toBe(200);
  });
});

describe('RFC 7616: Digest', () => {
  const realm = 'blue.example';
  const password = 'correct horse';
  let face: RunningFace;

  beforeEach(async () => {
    const digest = digestWith(
      realm,
      [
        ['ines', password, ines],
        ['core', password, server],
      ],
      clock,
    );
    face = await started({ digest, tokens: tokens() });
  });

  const answering = (
    challenge: ReadonlyMap<string, string>,
    more: { nc?: number; name?: string; password?: string; uri?: string; method?: string } = {},
  ) => ({
    Authorization: digestAuthorization({ challenge, name: 'ines', password, method: 'GET', uri: listPath, ...more }),
  });
  const challenged = async (algorithm = 'SHA-256'): Promise<ReadonlyMap<string, string>> =>
    challengeFor(algorithm, (await bare(face, {})).headers['www-authenticate']);

  test('RFC 7616 3.7: without credentials a challenge for each algorithm, best first, and one for tokens', async () => {
    const answer = await bare(face, {});
    expect(answer).toMatchObject({ status: 401, body: expect.stringMatching(/^credentials-required: /) });
    expect(
      [...answer.head.matchAll(/^WWW-Authenticate: (\w+)(?:.*algorithm=([\w-]+))?/gm)].map((one) => one.slice(1)),
    ).toEqual([
      ['Digest', 'SHA-256'],
      ['Digest', 'MD5'],
      ['Bearer', undefined],
    ]);
  });

  test.each(['SHA-256', 'MD5'])(
    'RFC 7616 3.3: a client that answers with %s gets in, and on with the same nonce',
    async (algorithm) => {
      const challenge = await challenged(algorithm);
      expect(await bare(face, answering(challenge))).toMatchObject({ status: 200, body: '<list/>' });
      const put = { ...answering(challenge, { nc: 2, method: 'PUT' }), 'Content-Type': listType };
      expect((await bare(face, put, 'PUT', listPath, '<changed/>')).status).toBe(200);
      expect(face.text(listKey)).toBe('<changed/>');
    },
  );

  test('RFC 7616 5.4: a replayed request is 401 stale, and the client goes on with the new nonce', async () => {
    const first = answering(await challenged());
    expect((await bare(face, first)).status).toBe(200);
    const replayed = await bare(face, first);
    expect(replayed.status).toBe(401);
    const renewed = challengeFor('SHA-256', replayed.headers['www-authenticate']);
    expect(renewed.get('stale')).toBe('true');
    expect((await bare(face, answering(renewed))).status).toBe(200);
  });

  test('RFC 7616 3.3: a nonce that has run out is stale', async () => {
    const challenge = await challenged();
    clock.now += 301_000;
    const late = await bare(face, answering(challenge));
    expect(late.status).toBe(401);
    expect(challengeFor('SHA-256', late.headers['www-authenticate']).get('stale')).toBe('true');
  });

  test('a wrong password, an unknown user: 401 without stale, also beside a trusted assertion', async () => {
    const challenge = await challenged();
    for (const wrong of [{ password: 'guess' }, { name: 'nobody' }, { method: 'DELETE' }]) {
      for (const beside of [{}, asserting(ines)]) {
        const answer = await bare(face, { ...beside, ...answering(challenge, wrong) });
        expect(answer.status).toBe(401);
        expect(challengeFor('SHA-256', answer.headers['www-authenticate']).has('stale')).toBe(false);
      }
    }
  });

  test('RFC 7616 3.4.6: a response for another resource is 400', async () => {
    const other = `/xcap-root/resource-lists/users/${ines}/other`;
    expect((await bare(face, answering(await challenged(), { uri: other }))).status).toBe(400);
  });

  test('the raw request target is compared: an encoded one as it was sent', async () => {
    const encoded = listPath.replace('@', '%40');
    const answer = await bare(face, answering(await challenged(), { uri: encoded }), 'GET', encoded);
    expect(answer.status).toBe(200);
  });

  test('the user decides, not the identity asserted beside it', async () => {
    const challenge = await challenged();
    expect((await bare(face, { ...asserting(joe), ...answering(challenge) })).status).toBe(200);
    expect((await bare(face, asserting(ines))).status).toBe(200);
  });

  test('a user with the PSI of an MC service server is 403', async () => {
    expect((await bare(face, answering(await challenged(), { name: 'core' }))).status).toBe(403);
  });

  test('a scheme that is not configured is told which are', async () => {
    const answer = await bare(face, { Authorization: 'Basic aW5lczpzZWNyZXQ=' });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toContain('Digest realm="blue.example"');
  });
});

function unsigned(token: string): string {
  const [, claims = ''] = token.split('.');
  return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`;
}

function confused(token: string): string {
  const head = Buffer.from('{"alg":"HS256","kid":"k1"}').toString('base64url');
  const text = `${head}.${token.split('.')[1]}`;
  const secret = createPublicKey(idms.privateKey).export({ type: 'spki', format: 'pem' });
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

function changed(token: string, from: string, to: string): string {
  const [head, claims = '', signature] = token.split('.');
  const text = Buffer.from(claims, 'base64url').toString().replace(from, to);
  return [head, Buffer.from(text).toString('base64url'), signature].join('.');
}

/** A key server on loopback; with an empty text it answers 500. */
async function keyServer(text: string): Promise<{ text: string; requests: number; url: string }> {
  const state = { text, requests: 0, url: '' };
  const http = createServer((_, response) => {
    state.requests++;
    response.writeHead(state.text === '' ? 500 : 200).end(state.text);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  closers.push(async () => {
    http.closeAllConnections();
    http.close();
    await once(http, 'close');
  });
  state.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/keys`;
  return state;
}
