// Users with tokens and Digest at a whole gateway, and what a reload changes for them.
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readOnce } from '../config/configured-files.ts';
import {
  audience,
  challengeFor,
  digestAuthorization,
  issuer,
  keySetText,
  tokenIssuer,
} from '../identity/credentials.testkit.ts';
import { digestUserLine } from '../identity/digest-users.ts';
import { redConfiguration, runGateway, type TestConfiguration, type TestGateway } from './gateway.testkit.ts';
import { userCredentials } from './user-credentials.ts';

const realm = 'red.example';
const identity = { trustedProxies: ['127.0.0.1'], missingCredentials: 403 } as const;
const silent = { info: () => undefined, warn: () => undefined };
const idms = tokenIssuer('k1', { now: Date.now() });
const line = (name: string): string => `${digestUserLine(name, realm, 'secret', [`sip:${name}@red.example`])}\n`;

let folder: string;
let gateway: TestGateway | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcgw-users-'));
  await writeFile(join(folder, 'jwks.json'), keySetText(idms));
  await writeFile(join(folder, 'users.txt'), line('ines'), { mode: 0o600 });
});
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  await rm(folder, { recursive: true });
});

function configured(): TestConfiguration {
  return {
    ...redConfiguration(),
    identity: {
      ...identity,
      tokens: { issuer, audience, jwks: join(folder, 'jwks.json') },
      digest: { realm, users: join(folder, 'users.txt') },
    },
  };
}

const path = (name: string): string => `/resource-lists/users/sip:${name}@red.example/index`;

async function read(at: TestGateway, name: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${at.urls.xcap}${path(name)}`, { headers });
}

async function readWithDigest(at: TestGateway, name: string): Promise<number> {
  const challenge = challengeFor('SHA-256', (await read(at, name)).headers.get('www-authenticate') ?? undefined);
  const uri = `${new URL(at.urls.xcap).pathname}${path(name)}`;
  const Authorization = digestAuthorization({ challenge, name, password: 'secret', method: 'GET', uri });
  return (await read(at, name, { Authorization })).status;
}

test('a token and a Digest user lead to documents of their own', async () => {
  gateway = await runGateway(configured());
  const Authorization = `Bearer ${await idms.token({ mcptt_id: 'sip:ines@red.example' })}`;
  const body = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>';
  const headers = { Authorization, 'Content-Type': 'application/resource-lists+xml' };
  expect((await fetch(`${gateway.urls.xcap}${path('joe')}`, { method: 'PUT', headers, body })).status).toBe(403);
  expect((await fetch(`${gateway.urls.xcap}${path('ines')}`, { method: 'PUT', headers, body })).status).toBe(201);
  expect(await readWithDigest(gateway, 'ines')).toBe(200);
});

test('a reload takes over users, and a file that became wrong changes nothing', async () => {
  gateway = await runGateway(configured());
  expect(await readWithDigest(gateway, 'joe')).toBe(401);
  await appendFile(join(folder, 'users.txt'), line('joe'));
  expect(await gateway.reload(await gateway.changed((same) => same))).toEqual([]);
  expect(await readWithDigest(gateway, 'joe')).toBe(404);
  await appendFile(join(folder, 'users.txt'), 'nonsense\n');
  await expect(gateway.changed((same) => same)).rejects.toThrow('users.txt:3: identity.digest.users: is not');
  expect(await readWithDigest(gateway, 'joe')).toBe(404);
});

test('a reload without tokens refuses them from then on', async () => {
  gateway = await runGateway(configured());
  const Authorization = `Bearer ${await idms.token({ mcptt_id: 'sip:ines@red.example' })}`;
  expect((await read(gateway, 'ines', { Authorization })).status).toBe(404);
  await gateway.reload(await gateway.changed((before) => ({ ...before, identity })));
  expect((await read(gateway, 'ines', { Authorization })).status).toBe(401);
});

test('keys that are loaded outlive a reload that leaves tokens alone', async () => {
  const tokens = { issuer, audience, jwks: join(folder, 'jwks.json') };
  const before = await userCredentials({ ...identity, trustedProxies: [], tokens }, readOnce(), silent);
  const token = await idms.token({ mcptt_id: 'sip:ines@red.example' });
  await before.schemes.tokens?.verifier.verify(token);
  await rm(tokens.jwks);
  const same = await userCredentials(
    { ...identity, trustedProxies: [], tokens: { ...tokens } },
    readOnce(),
    silent,
    before,
  );
  expect((await same.schemes.tokens?.verifier.verify(token))?.identities).toEqual(['sip:ines@red.example']);
  const other = { ...tokens, audience: 'other' };
  const changed = await userCredentials({ ...identity, trustedProxies: [], tokens: other }, readOnce(), silent, before);
  await expect(changed.schemes.tokens?.verifier.verify(token)).rejects.toMatchObject({ code: 'unavailable' });
});
