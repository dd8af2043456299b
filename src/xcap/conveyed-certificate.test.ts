import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { addressList } from '../identity/address-list.ts';
import { authenticator, knownPartners } from '../identity/authenticate.ts';
import { revocationListOf } from '../identity/revocation-lists.testkit.ts';
import { certificatesOf, type RevocationList, readRevocationLists } from '../identity/revocation-lists.ts';
import { Refusal } from '../refusals.ts';
import { type TestCertificate, testAuthority, testCertificate } from './certificates.testkit.ts';
import { edgeProxies } from './conveyed-certificate.ts';
import { startInterconnectFace } from './interconnect-face.ts';
import { partnerConfiguration } from './partner.testkit.ts';
import { keptLog } from './wire.testkit.ts';

let authority: TestCertificate;
let stranger: TestCertificate;
let red: string;

const conveyed = (pem: string): string => `:${new X509Certificate(pem).raw.toString('base64')}:`;

beforeAll(async () => {
  authority = await testAuthority('lab');
  stranger = await testAuthority('stranger');
  red = (await testCertificate(authority, { dns: ['gms.red.example'] })).cert;
});

const edge = (now: () => number = Date.now, revocations: readonly RevocationList[] = []) =>
  edgeProxies((address) => address === '10.0.0.1', certificatesOf(authority.cert), revocations, now);
const certificate = (value: string, chain?: readonly string[]) =>
  edge().certificate({ clientCert: [value], clientCertChain: chain });

describe('RFC 9440: a certificate that an edge proxy conveys', () => {
  test('is the partner’s when a configured CA vouches for it', () => {
    const facts = certificate(conveyed(red), [conveyed(authority.cert)]);
    expect(facts?.names).toEqual(['gms.red.example']);
    expect(facts?.chain).toContain(new X509Certificate(authority.cert).fingerprint256);
    expect(certificate(conveyed(red))).toEqual(facts);
  });

  test('is nobody’s when only a CA of its own chain vouches for it, or when it is not valid now', async () => {
    const other = await testCertificate(stranger, { dns: ['gms.red.example'] });
    expect(certificate(conveyed(other.cert), [conveyed(stranger.cert)])).toBeUndefined();
    const late = edge(() => Date.parse('2099-01-01T00:00:00Z'));
    expect(late.certificate({ clientCert: [conveyed(red)], clientCertChain: undefined })).toBeUndefined();
    expect(edge().certificate({ clientCert: undefined, clientCertChain: undefined })).toBeUndefined();
  });

  test('RFC 5280 6.3.3: is nobody’s when the CA revoked it, or when the list of the CA is out of date', async () => {
    const believed = async (pem: string): Promise<boolean> => {
      const { lists } = await readRevocationLists(pem, certificatesOf(authority.cert));
      expect(lists).toHaveLength(1);
      return (
        edge(Date.now, lists).certificate({ clientCert: [conveyed(red)], clientCertChain: undefined }) !== undefined
      );
    };
    expect(await believed(await revocationListOf(authority, []))).toBe(true);
    expect(await believed(await revocationListOf(authority, [red]))).toBe(false);
    expect(await believed(await revocationListOf(authority, [], Date.now() - 1000))).toBe(false);
  });

  test.each([
    ['no byte sequence', () => ['abc']],
    ['no certificate', () => [':AAAA:']],
    ['two certificates', () => [conveyed(red), conveyed(red)]],
    ['two in one line', () => [`${conveyed(red)}, ${conveyed(red)}`]],
  ])('%s is refused', (_what, values) => {
    const wrong = (): unknown => edge().certificate({ clientCert: values(), clientCertChain: undefined });
    expect(wrong).toThrow(Refusal);
    expect(wrong).toThrow(expect.objectContaining({ code: 'credentials-refused' }));
  });
});

describe('on a face behind an edge proxy that ends TLS', () => {
  const asserted = { 'x-3gpp-asserted-identity': '"sip:gms@red.example"' };

  async function answered(edgeAddress: string, headers: Readonly<Record<string, string>>): Promise<number> {
    const [partner] = [partnerConfiguration('red', { certificates: [{ san: 'gms.red.example' }] })];
    const { partner: authenticate } = authenticator({
      system: { servers: [], administrators: [] },
      identity: { trustedProxies: [], missingCredentials: 403 },
      partners: knownPartners([partner], () => authority.cert),
    });
    const addresses = addressList([edgeAddress]);
    const proxies = edgeProxies((address) => addresses.has(address), certificatesOf(authority.cert));
    const face = await startInterconnectFace({
      listen: { host: '127.0.0.1', port: 0 },
      root: 'https://gms.blue.example/xcap-root',
      groups: {
        acceptProvision: () => Promise.reject(new Refusal('forbidden')),
        acceptWithdrawal: () => Promise.reject(new Refusal('forbidden')),
        groupForPartner: async (_from, groupId) => ({ groupId, bytes: Buffer.from('<g/>'), tag: 't', modified: '' }),
      },
      authenticate,
      edge: () => proxies,
      log: keptLog(),
    });
    try {
      const path = '/xcap-root/org.openmobilealliance.groups/global/byGroupID/sip%3Ag%40red.example';
      const answer = await request(`${face.url}${path}`, { headers });
      await answer.body.dump();
      return answer.statusCode;
    } finally {
      await face.close();
    }
  }

  test('RFC 9440 4: the partner is known by the certificate that our edge proxy conveys', async () => {
    expect(await answered('127.0.0.1', { ...asserted, 'client-cert': conveyed(red) })).toBe(200);
  });

  test('its PSI without the certificate, or with that of another, is not believed', async () => {
    const other = (await testCertificate(authority, { dns: ['gms.green.example'] })).cert;
    expect(await answered('127.0.0.1', asserted)).toBe(403);
    expect(await answered('127.0.0.1', { ...asserted, 'client-cert': conveyed(other) })).toBe(403);
  });

  test('from anybody else the field is refused, never ignored', async () => {
    expect(await answered('10.0.0.1', { ...asserted, 'client-cert': conveyed(red) })).toBe(403);
  });
});
