// From credentials to a Principal: which role each identity has on which face, and that everything doubtful is refused.
import { describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { type AuthenticationSettings, authenticator, principalNow, principalOf } from './authenticate.ts';
import type { CertificateFacts } from './certificates.ts';
import type { Principal } from './principal.ts';

const settings: AuthenticationSettings = {
  system: {
    servers: ['sip:mcptt@blue.example'],
    administrators: [
      { id: 'sip:Admin@Blue.example' },
      { id: 'sip:deputy@blue.example', groups: ['sip:fire*@blue.example'] },
    ],
  },
  identity: { trustedProxies: ['127.0.0.1/32', '2001:db8::/32'], missingCredentials: 403 },
  partners: [
    { name: 'red', gms: 'sip:gms@red.example', certificates: [{ san: 'gms.red.example' }], sipFrom: ['192.0.2.1'] },
    {
      name: 'green',
      gms: 'sip:gms@green.example',
      certificates: [{ san: 'gms.green.example' }],
      sipFrom: ['192.0.2.2'],
    },
  ],
};
const authenticate = authenticator(settings);
const read = { method: 'GET', requestTarget: '/xcap-root/resource-lists/users/sip:ines@blue.example/index' };
const trusted = { ...read, peerAddress: '127.0.0.1' };
const stranger = { ...read, peerAddress: '192.0.2.9' };

async function refusal(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
  return 'accepted';
}

function certificate(...names: readonly string[]): CertificateFacts {
  return { names, spki: '', chain: [] };
}

describe('TS 24.482 A.2.3: our own faces', () => {
  test.each([
    ['"sip:mcptt@blue.example"', { role: 'server', identity: 'sip:mcptt@blue.example' }],
    ['sip:Admin@blue.example', { role: 'administrator', identity: 'sip:Admin@blue.example', groups: undefined }],
    [
      '"sip:deputy@blue.example"',
      { role: 'administrator', identity: 'sip:deputy@blue.example', groups: ['sip:fire*@blue.example'] },
    ],
    ['"sip:ines@blue.example", "tel:+4930"', { role: 'client', identities: ['sip:ines@blue.example', 'tel:+4930'] }],
    ['sip:admin@blue.example', { role: 'client', identities: ['sip:admin@blue.example'] }],
  ])('%s asserted by a trusted proxy', async (value, principal) => {
    expect(await authenticate.own({ ...trusted, xAssertedIdentity: [value] })).toEqual(principal);
    expect(await authenticate.own({ ...trusted, pAssertedIdentity: [value] })).toEqual(principal);
  });

  test('IPv4-mapped and IPv6 proxies are recognised', async () => {
    const xAssertedIdentity = ['sip:ines@blue.example'];
    expect((await authenticate.own({ ...read, peerAddress: '::ffff:127.0.0.1', xAssertedIdentity })).role).toBe(
      'client',
    );
    expect((await authenticate.own({ ...read, peerAddress: '2001:db8::9', xAssertedIdentity })).role).toBe('client');
  });

  test.each([
    ['no credentials at all', { ...trusted }, 'credentials-missing'],
    [
      'an identity asserted by nobody in particular',
      { ...stranger, xAssertedIdentity: ['sip:ines@blue.example'] },
      'identity-not-trusted',
    ],
    [
      'an identity asserted from an unknown address',
      { ...read, peerAddress: undefined, xAssertedIdentity: ['sip:ines@blue.example'] },
      'identity-not-trusted',
    ],
    ['a malformed assertion', { ...trusted, xAssertedIdentity: ['ines'] }, 'credentials-refused'],
    ['an empty assertion', { ...trusted, xAssertedIdentity: [''] }, 'credentials-refused'],
    [
      'two fields that disagree',
      { ...trusted, xAssertedIdentity: ['sip:ines@blue.example'], pAssertedIdentity: ['sip:Admin@blue.example'] },
      'credentials-refused',
    ],
    ['the PSI of a partner GMS', { ...trusted, xAssertedIdentity: ['sip:gms@red.example'] }, 'credentials-refused'],
    ['RFC 6750: a token that cannot be verified', { ...trusted, authorization: ['Bearer x'] }, 'token-invalid'],
    [
      'a token beside a trusted assertion',
      { ...trusted, authorization: ['bearer x'], xAssertedIdentity: ['sip:ines@blue.example'] },
      'token-invalid',
    ],
    [
      'Basic',
      { ...trusted, authorization: ['Basic dTpw'], xAssertedIdentity: ['sip:ines@blue.example'] },
      'credentials-refused',
    ],
    ['Digest', { ...trusted, authorization: ['Digest username="u"'] }, 'credentials-refused'],
    [
      'an empty Authorization',
      { ...trusted, authorization: [''], xAssertedIdentity: ['sip:ines@blue.example'] },
      'credentials-refused',
    ],
  ])('%s is refused', async (_name, credentials, code) => {
    expect(await refusal(() => authenticate.own(credentials))).toBe(code);
  });

  test('what was accepted from a trusted proxy once is not accepted from others', async () => {
    const xAssertedIdentity = ['"sip:Admin@blue.example"'];
    expect((await authenticate.own({ ...trusted, xAssertedIdentity })).role).toBe('administrator');
    expect(await refusal(() => authenticate.own({ ...stranger, xAssertedIdentity }))).toBe('identity-not-trusted');
    const pAssertedIdentity = ['sip:ines@blue.example'];
    expect(await refusal(() => authenticate.own({ ...trusted, xAssertedIdentity, pAssertedIdentity }))).toBe(
      'credentials-refused',
    );
    expect(await refusal(() => authenticate.own({ ...trusted, xAssertedIdentity, authorization: ['Bearer x'] }))).toBe(
      'token-invalid',
    );
    expect((await authenticate.own({ ...trusted, xAssertedIdentity })).role).toBe('administrator');
  });

  test('two fields that agree are one assertion', async () => {
    const both = { xAssertedIdentity: ['"sip:ines@blue.example"'], pAssertedIdentity: ['<sip:ines@BLUE.example>'] };
    expect((await authenticate.own({ ...trusted, ...both })).role).toBe('client');
  });

  test('RFC 6750 3: missing credentials are 401 when so configured', async () => {
    const challenging = authenticator({ ...settings, identity: { ...settings.identity, missingCredentials: 401 } });
    expect(await refusal(() => challenging.own(trusted))).toBe('credentials-required');
  });
});

describe('CSC-16: certificate and asserted identity of one partner', () => {
  const asserted = { xAssertedIdentity: ['"sip:gms@red.example"'] };

  test('both fit', () => {
    expect(authenticate.partner({ certificate: certificate('gms.red.example'), ...asserted })).toEqual({
      role: 'partner',
      partner: 'red',
      identity: 'sip:gms@red.example',
    });
  });

  test.each([
    ['no certificate', { certificate: undefined, ...asserted }],
    ['a certificate of nobody', { certificate: certificate('gms.yellow.example'), ...asserted }],
    ['the certificate of another partner', { certificate: certificate('gms.green.example'), ...asserted }],
    [
      'a certificate that fits two partners',
      { certificate: certificate('gms.red.example', 'gms.green.example'), ...asserted },
    ],
    ['no asserted identity', { certificate: certificate('gms.red.example') }],
    ['another identity', { certificate: certificate('gms.red.example'), xAssertedIdentity: ['sip:admin@red.example'] }],
    [
      'a second identity',
      {
        certificate: certificate('gms.red.example'),
        xAssertedIdentity: ['sip:gms@red.example, sip:Admin@blue.example'],
      },
    ],
    ['an Authorization field', { certificate: certificate('gms.red.example'), ...asserted, authorization: 'Bearer x' }],
  ])('%s is refused', async (_name, credentials) => {
    expect(await refusal(() => authenticate.partner(credentials))).toBe('credentials-refused');
  });
});

describe('SIP: P-Asserted-Identity from where it may come', () => {
  test.each([
    ['sip:mcptt@blue.example', '127.0.0.1', 'server'],
    ['sip:ines@blue.example', '127.0.0.1', 'client'],
    ['sip:Admin@blue.example', '127.0.0.1', 'administrator'],
    ['<sip:gms@red.example>', '192.0.2.1', 'partner'],
  ])('%s from %s is a %s', async (identity, peerAddress, role) => {
    expect((await authenticate.sip({ assertedIdentities: [identity], peerAddress })).role).toBe(role);
  });

  test.each([
    ['the PSI of red from the addresses of green', ['sip:gms@red.example'], '192.0.2.2', 'identity-not-trusted'],
    ['the PSI of red from a trusted proxy of ours', ['sip:gms@red.example'], '127.0.0.1', 'identity-not-trusted'],
    ['one of our users from the addresses of red', ['sip:ines@blue.example'], '192.0.2.1', 'identity-not-trusted'],
    ['red with a second identity', ['sip:gms@red.example', 'sip:x@y'], '192.0.2.1', 'credentials-refused'],
    ['no identity', [], '127.0.0.1', 'credentials-missing'],
    ['a malformed identity', ['x'], '127.0.0.1', 'credentials-refused'],
  ])('%s is refused', async (_name, assertedIdentities, peerAddress, code) => {
    expect(await refusal(() => authenticate.sip({ assertedIdentities, peerAddress }))).toBe(code);
  });

  test('a token that cannot be verified is refused, not ignored', async () => {
    const credentials = { assertedIdentities: ['sip:ines@blue.example'], peerAddress: '127.0.0.1', accessToken: 'x' };
    expect(await refusal(() => authenticate.sip(credentials))).toBe('credentials-refused');
  });
});

test('the strongest role among the verified identities counts', () => {
  expect(principalOf(['sip:ines@blue.example', 'sip:mcptt@blue.example'], settings.system).role).toBe('server');
  expect(principalOf(['sip:ines@blue.example'], settings.system)).toEqual({
    role: 'client',
    identities: ['sip:ines@blue.example'],
  });
});

test('an address that is a host name stops the start', () => {
  expect(() =>
    authenticator({ ...settings, identity: { ...settings.identity, trustedProxies: ['proxy.example'] } }),
  ).toThrow('proxy.example');
});

describe('who somebody known from before is now', () => {
  const system = {
    servers: ['sip:mcptt@red.example'],
    administrators: [{ id: 'sip:admin@red.example', groups: ['a*'] }],
  };
  const partners = [{ name: 'blue', gms: 'sip:gms@blue.example' }];

  test.each<[Principal, Principal | undefined]>([
    [
      { role: 'server', identity: 'sip:mcptt@red.example' },
      { role: 'server', identity: 'sip:mcptt@red.example' },
    ],
    [{ role: 'server', identity: 'sip:former@red.example' }, undefined],
    [
      { role: 'administrator', identity: 'sip:admin@red.example' },
      { role: 'administrator', identity: 'sip:admin@red.example', groups: ['a*'] },
    ],
    [{ role: 'administrator', identity: 'sip:former@red.example' }, undefined],
    [
      { role: 'client', identities: ['sip:joe@red.example'] },
      { role: 'client', identities: ['sip:joe@red.example'] },
    ],
    [
      { role: 'partner', partner: 'blue', identity: 'sip:gms@blue.example' },
      { role: 'partner', partner: 'blue', identity: 'sip:gms@blue.example' },
    ],
    [{ role: 'partner', partner: 'blue', identity: 'sip:other@blue.example' }, undefined],
    [{ role: 'partner', partner: 'green', identity: 'sip:gms@green.example' }, undefined],
  ])('%j is %j', (stored, now) => {
    expect(principalNow(stored, system, partners)).toEqual(now);
  });
});
