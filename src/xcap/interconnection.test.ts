// Both ends of CSC-16 together: our client at our own interconnect face, over real mutual TLS.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { entityTag, preconditionsHold } from '../documents/entity-tag.ts';
import { authenticator, knownPartners } from '../identity/authenticate.ts';
import { Refusal } from '../refusals.ts';
import { testAuthority, testCertificate } from './certificates.testkit.ts';
import type { HttpListener } from './http-listener.ts';
import { startInterconnectFace } from './interconnect-face.ts';
import { partnerConfiguration } from './partner.testkit.ts';
import { type PartnerClient, partnerClient } from './partner-client.ts';
import { keptLog } from './wire.testkit.ts';

const group = 'sip:fire/1@red.example';
const large = Buffer.alloc(3 * 1024 * 1024, 'x');

let blue: HttpListener;
let red: PartnerClient;
let green: PartnerClient;
let stored: Map<string, Uint8Array>;

beforeEach(async () => {
  stored = new Map();
  const authority = await testAuthority('lab');
  const [blueLeaf, redLeaf, greenLeaf] = await Promise.all([
    testCertificate(authority, { dns: ['gms.blue.example'], addresses: ['127.0.0.1'] }),
    testCertificate(authority, { dns: ['gms.red.example'] }),
    testCertificate(authority, { dns: ['gms.green.example'] }),
  ]);
  const authenticate = authenticator({
    system: { servers: [], administrators: [] },
    identity: { trustedProxies: [], missingCredentials: 403 },
    partners: knownPartners([partnerConfiguration('red'), partnerConfiguration('green')], () => authority.cert),
  });
  blue = await startInterconnectFace({
    listen: { host: '127.0.0.1', port: 0, tls: { ...blueLeaf, clientCa: authority.cert } },
    root: 'https://gms.blue.example/xcap-root',
    groups: {
      async acceptProvision(from, groupId, given, preconditions) {
        if (from.partner !== 'red') throw new Refusal('partner-not-authoritative');
        const body = typeof given === 'function' ? await given() : given;
        const before = stored.get(groupId);
        if (!preconditionsHold(preconditions, before && entityTag(before))) throw new Refusal('precondition-failed');
        if (body.length === 0) throw new Refusal('not-well-formed');
        stored.set(groupId, body);
        return { created: before === undefined, changed: true, tag: entityTag(body) };
      },
      async acceptWithdrawal(_from, groupId) {
        if (!stored.delete(groupId)) throw new Refusal('not-found');
      },
      async groupForPartner(from, groupId) {
        const bytes = from.partner === 'red' ? stored.get(groupId) : undefined;
        if (bytes === undefined) throw new Refusal('agreement-does-not-cover');
        return { groupId, bytes, tag: entityTag(bytes), modified: '2026-01-01T00:00:00Z' };
      },
    },
    authenticate: authenticate.partner,
    log: keptLog(),
  });
  const client = (name: string, certificate: typeof redLeaf): PartnerClient =>
    partnerClient({
      identity: `sip:gms@${name}.example`,
      certificate,
      partners: [
        {
          name: 'blue',
          xcapRoots: [`${blue.url}/xcap-root`],
          certificates: [{ san: 'gms.blue.example' }],
          authority: authority.cert,
        },
      ],
      timeout: 5000,
      documentBytes: 4 * 1024 * 1024,
    });
  red = client('red', redLeaf);
  green = client('green', greenLeaf);
});
afterEach(async () => {
  await Promise.all([red.close(), green.close()]);
  await blue.close();
});

test('a large group goes over, comes back unchanged, is revalidated, replaced and withdrawn', async () => {
  const tag = entityTag(large);
  expect(await red.provide('blue', group, large, undefined)).toEqual({ outcome: 'accepted', created: true, tag });
  expect(Buffer.compare(stored.get(group) ?? Buffer.of(), large)).toBe(0);
  const fetched = await red.fetch('blue', group, undefined);
  expect(fetched).toMatchObject({ outcome: 'fetched', tag });
  expect(fetched.outcome === 'fetched' && Buffer.compare(fetched.bytes, large)).toBe(0);
  expect(await red.fetch('blue', group, tag)).toEqual({ outcome: 'unchanged' });
  const next = Buffer.from('<group/>');
  expect(await red.provide('blue', group, next, tag)).toEqual({
    outcome: 'accepted',
    created: false,
    tag: entityTag(next),
  });
  expect(await red.withdraw('blue', group, undefined)).toMatchObject({ outcome: 'accepted' });
  expect(await red.withdraw('blue', group, undefined)).toMatchObject({ outcome: 'accepted' });
  expect(await red.fetch('blue', group, tag)).toEqual({ outcome: 'absent' });
});

test('what somebody else changed at the partner meanwhile does not stop a provision', async () => {
  stored.set(group, Buffer.from('<other/>'));
  expect(await red.provide('blue', group, Buffer.from('<group/>'), 'an-old-tag')).toMatchObject({
    outcome: 'accepted',
  });
});

test('refusals arrive with their reason, and outside the agreement nothing exists', async () => {
  expect(await red.provide('blue', group, Buffer.of(), undefined)).toEqual({
    outcome: 'refused',
    status: 409,
    reason: '409 not-well-formed: The body is not a well-formed XML document',
  });
  expect(await green.provide('blue', group, Buffer.from('<group/>'), undefined)).toMatchObject({
    outcome: 'refused',
    status: 403,
  });
  expect(await green.fetch('blue', group, undefined)).toEqual({ outcome: 'absent' });
});

test('a partner that stops and starts elsewhere costs failures, never an exception', async () => {
  expect(await red.fetch('blue', group, undefined)).toEqual({ outcome: 'absent' });
  await blue.close();
  expect(await red.fetch('blue', group, undefined)).toMatchObject({ outcome: 'failed' });
});
