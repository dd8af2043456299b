// The vectors of RFC 4825 that concern whole documents, as raw requests to the own face over the real document service.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type ApplicationUsage, builtInUsages } from '../documents/application-usage.ts';
import { closeSchemas, openRoom, type Room } from '../documents/documents.testkit.ts';
import { authenticator } from '../identity/authenticate.ts';
import { servedUsers } from '../identity/served.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentKey } from '../store/store.ts';
import type { HttpListener } from './http-listener.ts';
import { startXcapFace } from './own-face.ts';
import { exchange, keptLog, rawRequest } from './wire.testkit.ts';

interface VectorCase {
  readonly id: string;
  readonly section: string;
  readonly description: string;
  readonly profile: string;
  readonly document: string | null;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | null;
    readonly bodyBase64?: string;
  };
  readonly expected: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly bodyEquals?: string;
    readonly bodyEmpty?: boolean;
    readonly xcapError?: { readonly element: string };
    readonly documentAfter?: string | null;
    readonly documentUnchanged?: boolean;
    readonly documentExists?: boolean;
    readonly etagChanged?: boolean;
  };
}

interface Profile {
  readonly auid: string;
  readonly mime: string;
  readonly defaultDocumentNamespace: string | null;
}

const vectors: {
  readonly meta: { readonly profiles: Readonly<Record<string, Profile>> };
  readonly cases: readonly VectorCase[];
} = JSON.parse(readFileSync(new URL('../../test/vectors/xcap-4825.json', import.meta.url), 'utf8'));

const owner = 'sip:alice@red.example';
const root = 'http://gms.red.example/xcap-root';

// RFC 4826 4: rls-services is no usage of a group management server
const cases = vectors.cases.filter(
  ({ profile, request }) => !/~~|%7e%7e/i.test(request.path) && profile !== 'rls-services',
);

function auidOf(profile: string): string {
  const auid = vectors.meta.profiles[profile]?.auid ?? '';
  return builtInUsages.some((usage) => usage.auid === auid) ? auid : `vectors.example.${profile}`;
}

function labUsages(): readonly ApplicationUsage[] {
  return Object.entries(vectors.meta.profiles)
    .filter(([name]) => auidOf(name).startsWith('vectors.'))
    .map(([name, { mime, defaultDocumentNamespace }]) => ({
      auid: auidOf(name),
      mimeType: mime,
      defaultDocumentNamespace: defaultDocumentNamespace ?? undefined,
      namespaces: [],
      composed: false,
    }));
}

let room: Room;
let face: HttpListener;

beforeEach(async () => {
  room = await openRoom({ usages: [...builtInUsages, ...labUsages()] });
  const authenticate = authenticator({
    system: { servers: [], administrators: [] },
    identity: { trustedProxies: ['127.0.0.1'], missingCredentials: 403 },
    partners: [],
  });
  face = await startXcapFace({
    listen: { host: '127.0.0.1', port: 0 },
    root,
    documents: room.documents,
    groups: { group: () => Promise.reject(new Refusal('not-found')) },
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

function fill(text: string, vector: VectorCase, tag: string | undefined): string {
  return text
    .replaceAll('{AUID}', auidOf(vector.profile))
    .replaceAll('{XUI}', owner)
    .replaceAll('{XCAP_ROOT}', root)
    .replaceAll('{ETAG}', `"${tag}"`)
    .replaceAll('{STALE_ETAG}', '"not-the-current-one"')
    .replaceAll('{UNKNOWN_AUID}', 'vectors.example.unknown')
    .replaceAll('{UNKNOWN_XUI}', 'sip:nobody@elsewhere.example');
}

async function run(vector: VectorCase): Promise<void> {
  const { document, request, expected } = vector;
  const key: DocumentKey = { auid: auidOf(vector.profile), tree: 'users', xui: owner, name: 'index' };
  const principal = { role: 'client', identities: [owner] } as const;
  const before = document === null ? undefined : Buffer.from(fill(document, vector, undefined));
  const stored = before && (await room.documents.put(principal, key, before, {}));

  const filled = (text: string): string => fill(text, vector, stored?.tag);
  const headers = Object.entries(request.headers ?? {}).map(([name, value]) => [name, filled(value)] as const);
  const body =
    request.bodyBase64 === undefined
      ? Buffer.from(filled(request.body ?? '')).toString('latin1')
      : Buffer.from(request.bodyBase64, 'base64').toString('latin1');
  const raw = rawRequest(
    request.method,
    `/xcap-root/${filled(request.path)}`,
    { 'X-3GPP-Asserted-Identity': `"${owner}"`, ...Object.fromEntries(headers) },
    request.method === 'PUT' || request.method === 'POST' ? body : undefined,
  );
  const answer = await exchange(face.url, raw);

  expect(answer.status).toBe(expected.status);
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    const field = answer.headers[name.toLowerCase()];
    if (value === 'present') expect(field).toMatch(/^"[^"]+"$/);
    else if (value.startsWith('includes '))
      expect(field?.split(', ')).toEqual(expect.arrayContaining(value.slice(9).split(', ')));
    else expect(field).toBe(value);
  }
  if (expected.bodyEquals !== undefined) expect(answer.body).toBe(filled(expected.bodyEquals));
  if (expected.bodyEmpty === true) expect(answer.body).toBe('');
  if (expected.xcapError !== undefined) expect(answer.body).toContain(`<${expected.xcapError.element}`);

  const after = await room.documents.find(key);
  const text = after === undefined ? undefined : Buffer.from(after.bytes).toString();
  if (typeof expected.documentAfter === 'string') expect(text).toBe(filled(expected.documentAfter));
  if (expected.documentExists === false) expect(text).toBeUndefined();
  if (expected.documentUnchanged === true) expect(text).toBe(before?.toString());
  if (expected.etagChanged !== undefined) expect(after?.tag !== stored?.tag).toBe(expected.etagChanged);
}

describe('RFC 4825: whole documents', () => {
  test.each(cases.map((vector) => [vector.id, vector.section, vector.description, vector] as const))(
    '%s, clause %s: %s',
    async (_id, _section, _description, vector) => run(vector),
  );
});
