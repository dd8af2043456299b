// Recognising a partner by its certificate: names and keys, compared exactly, each under its own CA; and the identities in one.
import { beforeAll, describe, expect, test } from '@jest/globals';
import { type TestCertificate, testAuthority, testCertificate } from '../xcap/certificates.testkit.ts';
import {
  type CertificateFacts,
  type CertificateIdentities,
  certificateFacts,
  certificateIdentities,
  certificateMatches,
  fingerprints,
} from './certificates.ts';

let authority: TestCertificate;
let facts: CertificateFacts;

beforeAll(async () => {
  authority = await testAuthority('red CA');
  const leaf = await testCertificate(authority, {
    dns: ['GMS.red.example', '*.edge.red.example'],
    uris: ['sip:gms@red.example', 'urn:x:a, DNS:gms.blue.example'],
    addresses: ['127.0.0.1'],
  });
  facts = certificateFacts(leaf.cert, [authority.cert]);
});

describe('RFC 5280 4.2.1.6: subject alternative names', () => {
  test.each([
    ['gms.red.example', true],
    ['GMS.RED.EXAMPLE', true],
    ['SIP:gms@red.example', true],
    ['*.edge.red.example', true],
    ['a.edge.red.example', false],
    ['red.example', false],
    ['xgms.red.example', false],
    ['gms.blue.example', false],
    ['127.0.0.1', false],
    ['test', false],
  ])('the pin %s matches: %s', (san, matches) => {
    expect(certificateMatches(facts, { name: 'red', certificates: [{ san }] })).toBe(matches);
  });

  test('a name with a comma in it stays one name', () => {
    expect(facts.names).toContain('urn:x:a, dns:gms.blue.example');
  });
});

describe('RFC 5280 4.2.1.6: identities among the subject alternative names', () => {
  const texts: readonly (readonly [string | undefined, CertificateIdentities])[] = [
    [undefined, []],
    ['', []],
    ['DNS:a.example, IP Address:0:0:0:0:0:0:0:1, email:sip:a@x, DirName:"CN=x\\u002c URI:sip:a@x"', []],
    ['othername:"UPN:sip:a@x\\u002c", Registered ID:1.2.3, othername:<unsupported>, URI:TEL:+1-2', ['tel:+12']],
    ['URI:SIPS:a@X, URI:urn:x:y, URI:tel:+1, URI:sips:a@x', ['sips:a@x', 'tel:+1']],
    ['URI:"sip:a\\u002cb@x", URI:"sip:o\'b@x"', ['sip:a,b@x', "sip:o'b@x"]],
    ['URI:"sip:a@x\\u002c URI:sip:b@x"', 'malformed'],
    ['URI:"sip:\\u00e9@x"', 'malformed'],
    ['URI:', 'malformed'],
    ['URI:sip:a@x, URI:"sip:b@x', 'malformed'],
    ['URI:sip:a@x,URI:sip:b@x', 'malformed'],
    ['URI:sip:a@x, nonsense', 'malformed'],
  ];
  test.each(texts)('`%s`', (subjectAltName, identities) => {
    expect(certificateIdentities({ subjectAltName })).toEqual(identities);
  });
});

test('the hash of the key matches that key alone', async () => {
  const other = certificateFacts((await testCertificate(authority, { dns: ['gms.red.example'] })).cert);
  const holder = { name: 'red', certificates: [{ spki: facts.spki }] };
  expect(facts.spki).toMatch(/^[A-Za-z0-9+/]{43}=$/);
  expect(certificateMatches(facts, holder)).toBe(true);
  expect(certificateMatches(other, holder)).toBe(false);
});

test('the CA of one partner cannot vouch for the name of another', async () => {
  const foreign = await testAuthority('green CA');
  const holder = { name: 'red', certificates: [{ san: 'gms.red.example' }] };
  const forged = certificateFacts((await testCertificate(foreign, { dns: ['gms.red.example'] })).cert, [foreign.cert]);
  const authorities = fingerprints(authority.cert);
  expect(certificateMatches(forged, { ...holder, authorities })).toBe(false);
  expect(certificateMatches(facts, { ...holder, authorities })).toBe(true);
});

test('every certificate of a PEM bundle is an authority', async () => {
  const second = await testAuthority('second CA');
  expect(fingerprints(`${authority.cert}\n${second.cert}`)).toHaveLength(2);
  expect(fingerprints('')).toEqual([]);
});
