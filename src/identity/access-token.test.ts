// Access tokens: which are believed, every forgery that is not, and what is remembered of them.
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { Refusal } from '../refusals.ts';
import {
  type AccessToken,
  type AccessTokenOptions,
  accessTokenVerifier,
  groupManagementScopes,
  hasGroupManagementScope,
} from './access-token.ts';
import { type KeySet, parseKeySet } from './jwks.ts';
import type { JwksSource } from './jwks-source.ts';

const start = 1_800_000_000;
const issuer = 'https://idm.blue.example';
const audience = 'gms.blue.example';

interface Pair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

let rsa: Pair;
let ec: Pair;
let stranger: Pair;

beforeAll(() => {
  rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
});

function keySet(...keys: readonly object[]): KeySet {
  return parseKeySet(JSON.stringify({ keys }));
}

function jwk(pair: Pair, more: object = {}): object {
  return { ...pair.publicKey.export({ format: 'jwk' }), ...more };
}

/** A source that counts how often it was asked for newer keys. */
function source(initial: KeySet, newer: KeySet = initial): JwksSource & { asked: number; set: KeySet } {
  return {
    asked: 0,
    set: initial,
    async current() {
      return this.set;
    },
    async refreshed() {
      this.asked += 1;
      this.set = newer;
      return newer;
    },
  };
}

function verifier(keys: JwksSource, more: Partial<AccessTokenOptions> = {}) {
  return accessTokenVerifier({ issuer, audience, keys, now: () => start * 1000, ...more });
}

type Claims = Readonly<Record<string, unknown>>;

const soundClaims: Claims = {
  iss: issuer,
  aud: audience,
  exp: start + 600,
  iat: start - 10,
  mcptt_id: 'sip:alice@blue.example',
  scope: '3gpp:mc:ptt_group_management_service openid',
  client_id: 'radio-17',
};

function issue(claims: Claims = {}, header: object = {}, pair = ec): Promise<string> {
  return new SignJWT({ ...soundClaims, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'JWT', ...header })
    .sign(pair.privateKey);
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

async function causeOf(verified: Promise<AccessToken>): Promise<string> {
  try {
    await verified;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    expect([error.code, error.phrase]).toEqual(['token-invalid', 'The access token cannot be verified']);
    return error.detail.cause?.replace(/^access token refused: /, '') ?? '';
  }
  throw new Error('the token was believed');
}

describe('TS 33.180 annex B: what a verified token says', () => {
  test('identities are canonical, of all services and without repetition', async () => {
    const token = await issue({
      mcptt_id: 'SIP:alice@BLUE.example',
      mcvideo_id: 'sip:alice@blue.example',
      mcdata_id: 'tel:+1-23',
    });
    expect(await verifier(source(keySet(jwk(ec, { kid: 'k1' })))).verify(token)).toEqual({
      identities: ['sip:alice@blue.example', 'tel:+123'],
      scopes: ['3gpp:mc:ptt_group_management_service', 'openid'],
      clientId: 'radio-17',
      expires: start + 600,
    });
  });

  test('a scope may come as an array, and may be absent', async () => {
    const { verify } = verifier(source(keySet(jwk(ec, { kid: 'k1' }))));
    expect((await verify(await issue({ scope: ['a', 'b', 'a'] }))).scopes).toEqual(['a', 'b']);
    expect((await verify(await issue({ scope: undefined }))).scopes).toEqual([]);
    expect((await verify(await issue({ scope: ' a  b ' }))).scopes).toEqual(['a', 'b']);
  });

  test('TS 33.180 B.4.2.2: scopes of group management', () => {
    const token = (...scopes: readonly string[]): AccessToken => ({ identities: ['tel:+1'], scopes, expires: 1 });
    for (const scope of groupManagementScopes) expect(hasGroupManagementScope(token('openid', scope))).toBe(true);
    expect(hasGroupManagementScope(token('3gpp:mc:ptt_key_management_service', '3gpp:mc:ptt_service'))).toBe(false);
    expect(hasGroupManagementScope(token())).toBe(false);
    expect(hasGroupManagementScope(token(...groupManagementScopes), ['own:scope'])).toBe(false);
    expect(hasGroupManagementScope(token('own:scope'), ['own:scope'])).toBe(true);
  });

  test('issuer and audience are looked at only when configured', async () => {
    const token = await issue({ iss: undefined, aud: undefined });
    const keys = source(keySet(jwk(ec, { kid: 'k1' })));
    const lenient = verifier(keys, { issuer: undefined, audience: undefined });
    expect((await lenient.verify(token)).identities).toEqual(['sip:alice@blue.example']);
    expect(await causeOf(verifier(keys, { audience: undefined }).verify(token))).toBe('its claim iss is missing');
  });
});

describe('RFC 7519 4.1: claims', () => {
  test.each<[Claims, string]>([
    [{ exp: undefined }, 'its claim exp is missing'],
    [{ exp: start - 31 }, 'it has expired'],
    [{ nbf: start + 32 }, 'its claim nbf is in the future'],
    [{ iat: start + 32 }, 'its claim iat is in the future'],
    [{ iss: 'https://idm.red.example' }, 'its claim iss is not accepted'],
    [{ iss: `${issuer}/` }, 'its claim iss is not accepted'],
    [{ iss: undefined }, 'its claim iss is missing'],
    [{ aud: 'kms.blue.example' }, 'its claim aud is not accepted'],
    [{ aud: ['kms.blue.example', 'x'] }, 'its claim aud is not accepted'],
    [{ aud: undefined }, 'its claim aud is missing'],
    [{ mcptt_id: undefined }, 'it names no MC service ID'],
    [{ mcptt_id: undefined, sub: 'sip:alice@blue.example' }, 'it names no MC service ID'],
    [{ mcptt_id: 'alice' }, 'its claim mcptt_id is not a URI'],
    [{ mcptt_id: 'sip:a@red.example@blue.example' }, 'its claim mcptt_id is not a URI'],
    [{ mcdata_id: 'sip:' }, 'its claim mcdata_id is not a URI'],
    [{ mcvideo_id: ['sip:alice@blue.example'] }, 'its claim mcvideo_id is not a URI'],
    [{ scope: 7 }, 'its claim scope is not accepted'],
    [{ scope: [7] }, 'its claim scope is not accepted'],
    [{ client_id: {} }, 'its claim client_id is not accepted'],
  ])('%j: %s', async (claims, cause) => {
    const { verify } = verifier(source(keySet(jwk(ec, { kid: 'k1' }))));
    expect(await causeOf(verify(await issue(claims)))).toBe(cause);
  });

  test.each<[Claims]>([
    [{ exp: start - 29 }],
    [{ nbf: start + 29 }],
    [{ iat: start + 29 }],
    [{ iat: undefined }],
    [{ aud: ['x', audience] }],
  ])('%j is accepted, clocks being 30 seconds apart at most', async (claims) => {
    const { verify } = verifier(source(keySet(jwk(ec, { kid: 'k1' }))));
    expect((await verify(await issue(claims))).identities).toEqual(['sip:alice@blue.example']);
  });

  test.each([
    ['{"exp":"1800000600"}', 'its claim exp is not accepted'],
    ['{"exp":1e999}', 'its claim exp is not accepted'],
    ['{"exp":1800000600,"iat":"1"}', 'its claim iat is not accepted'],
    ['{"exp":1800000600,"iat":1e999}', 'its claim iat is in the future'],
    ['{"exp":1800000600,"nbf":null}', 'its claim nbf is not accepted'],
    ['[]', 'not a sound token (ERR_JWT_INVALID)'],
    ['null', 'not a sound token (ERR_JWT_INVALID)'],
    ['{"exp":', 'not a sound token (ERR_JWT_INVALID)'],
    ['"\u00ff', 'not a sound token (ERR_JWT_INVALID)'],
  ])('a signed payload %s is refused', async (payload, cause) => {
    const input = `${encoded({ alg: 'ES256', kid: 'k1' })}.${Buffer.from(payload, 'latin1').toString('base64url')}`;
    const signature = sign('sha256', Buffer.from(input), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' });
    const keys = source(keySet(jwk(ec, { kid: 'k1' })));
    const lenient = verifier(keys, { issuer: undefined, audience: undefined });
    expect(await causeOf(lenient.verify(`${input}.${signature.toString('base64url')}`))).toBe(cause);
  });
});

describe('RFC 8725 3.1: algorithms', () => {
  test.each(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'])('%s is accepted', async (alg) => {
    const { verify } = verifier(source(keySet(jwk(rsa, { kid: 'k1' }))));
    expect((await verify(await issue({}, { alg }, rsa))).clientId).toBe('radio-17');
  });

  test.each([
    ['ES384', 'P-384'],
    ['ES512', 'P-521'],
  ])('%s is accepted', async (alg, namedCurve) => {
    const pair = generateKeyPairSync('ec', { namedCurve });
    const { verify } = verifier(source(keySet(jwk(pair, { kid: 'k1' }))));
    expect((await verify(await issue({}, { alg }, pair))).clientId).toBe('radio-17');
  });

  test.each(['EdDSA', 'Ed25519'])('%s is accepted, whichever of the two names the key has', async (alg) => {
    const pair = generateKeyPairSync('ed25519');
    const { verify } = verifier(source(keySet(jwk(pair, { kid: 'k1', alg: 'EdDSA' }))));
    expect((await verify(await issue({}, { alg }, pair))).clientId).toBe('radio-17');
  });

  test.each([
    'none',
    'None',
    'HS256',
    'HS512',
    'RS1',
    'ES256K',
    'dir',
    '',
    '__proto__',
    'toString',
    7,
    null,
    undefined,
  ])('alg %p is refused before any key is looked for', async (alg) => {
    const keys = source([]);
    const token = `${encoded({ alg, kid: 'k1' })}.${encoded(soundClaims)}.`;
    expect(await causeOf(verifier(keys).verify(token))).toBe('the algorithm is not accepted');
    expect(keys.asked).toBe(0);
  });

  test.each(['pem', 'der'] as const)('HS256 with the RSA public key (%s) as the secret is refused', async (format) => {
    const secret = rsa.publicKey.export({ format, type: 'spki' } as { format: 'pem'; type: 'spki' });
    const input = `${encoded({ alg: 'HS256', kid: 'k1' })}.${encoded(soundClaims)}`;
    const token = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
    const { verify } = verifier(source(keySet(jwk(rsa, { kid: 'k1' }))));
    expect(await causeOf(verify(token))).toBe('the algorithm is not accepted');
  });

  test('RFC 7517 4.4: a key for one algorithm verifies no other', async () => {
    const { verify } = verifier(source(keySet(jwk(rsa, { kid: 'k1', alg: 'RS256' }))));
    expect(await causeOf(verify(await issue({}, { alg: 'PS256' }, rsa)))).toBe('no key fits its key ID and algorithm');
  });

  test('a signature of one type is not tried with a key of another', async () => {
    const { verify } = verifier(source(keySet(jwk(rsa, { kid: 'k1' }))));
    expect(await causeOf(verify(await issue()))).toBe('no key fits its key ID and algorithm');
  });
});

describe('RFC 7515: forged and malformed tokens', () => {
  test('appendix A.2 and A.3: the signatures of the RFC are verified', async () => {
    const payload = 'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ';
    const rs256 =
      'cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw';
    const es256 = 'DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q';
    const keys = keySet(
      {
        kty: 'RSA',
        n: 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
        e: 'AQAB',
      },
      {
        kty: 'EC',
        crv: 'P-256',
        x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
        y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
      },
    );
    const at = (seconds: number) =>
      verifier(source(keys), { issuer: 'joe', audience: undefined, now: () => seconds * 1000 });
    for (const [header, signature] of [
      ['eyJhbGciOiJSUzI1NiJ9', rs256],
      ['eyJhbGciOiJFUzI1NiJ9', es256],
    ] as const) {
      const token = `${header}.${payload}.${signature}`;
      // Past the signature these tokens fail for naming nobody
      expect(await causeOf(at(1300819379).verify(token))).toBe('it names no MC service ID');
      expect(await causeOf(at(1300819411).verify(token))).toBe('it has expired');
      const forged = `${header}.${payload}.${signature.replace('8', '9')}`;
      expect(await causeOf(at(1300819379).verify(forged))).toBe('its signature is not that of an accepted key');
    }
  });

  test('appendix E: an unknown critical header parameter is refused', async () => {
    const token =
      'eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.';
    const { verify } = verifier(source(keySet(jwk(ec, { kid: 'k1' }))));
    expect(await causeOf(verify(token))).toBe('the algorithm is not accepted');
    const [, payload = '', signature = ''] = (await issue()).split('.');
    const critical = encoded({ alg: 'ES256', kid: 'k1', crit: ['x'], x: true });
    expect(await causeOf(verify(`${critical}.${payload}.${signature}`))).toMatch(/^not a sound token \(ERR_J/);
  });

  test.each([
    [
      'a payload that was changed',
      (parts: readonly string[]) => [
        parts[0],
        encoded({ ...soundClaims, mcptt_id: 'sip:admin@blue.example' }),
        parts[2],
      ],
    ],
    [
      'a header that was changed',
      (parts: readonly string[]) => [encoded({ alg: 'ES256', kid: 'k1' }), parts[1], parts[2]],
    ],
    ['a signature cut off', (parts: readonly string[]) => [parts[0], parts[1], '']],
    ['a signature of zeros', (parts: readonly string[]) => [parts[0], parts[1], 'A'.repeat(86)]],
  ])('%s is refused', async (_, change) => {
    const token = change((await issue()).split('.')).join('.');
    const { verify } = verifier(source(keySet(jwk(ec, { kid: 'k1' }))));
    expect(await causeOf(verify(token))).toBe('its signature is not that of an accepted key');
  });

  test('a token of a stranger with our key ID is refused', async () => {
    const { verify } = verifier(source(keySet(jwk(ec, { kid: 'k1' }))));
    expect(await causeOf(verify(await issue({}, {}, stranger)))).toBe('its signature is not that of an accepted key');
  });

  test('RFC 8725 3.5: a key that the token brings along is not used', async () => {
    const { verify } = verifier(source(keySet(jwk(ec, { kid: 'k1' }))));
    const header = { jwk: jwk(stranger), jku: 'https://stranger.example/keys', x5u: 'https://stranger.example/x' };
    expect(await causeOf(verify(await issue({}, header, stranger)))).toBe(
      'its signature is not that of an accepted key',
    );
  });

  test.each([
    ['JWT', true],
    ['at+jwt', true],
    ['Application/AT+JWT', true],
    [undefined, true],
    ['dpop+jwt', false],
    ['logout+jwt', false],
    ['JOSE', false],
    [7, false],
  ])('RFC 8725 3.11: typ %p accepted: %p', async (typ, accepted) => {
    const { verify } = verifier(source(keySet(jwk(ec, { kid: 'k1' }))));
    const token = await issue({}, { typ });
    if (accepted) expect((await verify(token)).clientId).toBe('radio-17');
    else expect(await causeOf(verify(token))).toBe('the type is not that of an access token');
  });

  test.each([
    [''],
    ['.'],
    ['..'],
    ['a.b'],
    ['a.b.c.d.e'],
    ['!!.a.b'],
    [`${encoded({ alg: 'ES256' })}.e30.AA==`],
    [` ${encoded({ alg: 'ES256' })}.e30.AA`],
    [`${encoded({ alg: 'ES256' })}\n.e30.AA`],
  ])('%j is not a JWS in compact serialization', async (token) => {
    expect(await causeOf(verifier(source([])).verify(token))).toBe('not a JWS in compact serialization');
  });

  test.each([['bm9qc29u'], ['W10'], ['A'], ['_____w'], [Buffer.from('['.repeat(8000)).toString('base64url')]])(
    'the header %j cannot be decoded',
    async (header) => {
      const cause = await causeOf(verifier(source([])).verify(`${header}.e30.AA`));
      expect(['the header cannot be decoded', 'the algorithm is not accepted']).toContain(cause);
    },
  );

  test('a token of more than 16 KB is not looked at', async () => {
    const { verify } = verifier(source(keySet(jwk(ec, { kid: 'k1' }))));
    const large = await issue({ filler: 'x'.repeat(16 * 1024) });
    expect(await causeOf(verify(large))).toBe('longer than 16384 characters');
    expect((await verify(await issue({ filler: 'x'.repeat(10 * 1024) }))).clientId).toBe('radio-17');
  });

  test('whatever arrives, nothing but a Refusal is thrown, and nothing is believed', async () => {
    const { verify } = verifier(source(keySet(jwk(ec, { kid: 'k1' }))));
    const sound = await issue();
    const json = fc.json().map((text) => Buffer.from(text).toString('base64url'));
    const part = fc.oneof(fc.base64String(), json, fc.constantFrom(...sound.split('.')), fc.string({ unit: 'binary' }));
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 5 }), async (parts) => {
        const token = parts.join('.');
        if (token !== sound) expect(await causeOf(verify(token))).not.toBe('');
      }),
      { numRuns: 500 },
    );
  });
});

describe('RFC 7515 appendix D: choice of keys', () => {
  test('RFC 7515 4.1.4: an unknown key ID asks for newer keys, once', async () => {
    const keys = source(keySet(jwk(stranger, { kid: 'k0' })), keySet(jwk(ec, { kid: 'k1' })));
    expect((await verifier(keys).verify(await issue())).clientId).toBe('radio-17');
    expect(keys.asked).toBe(1);
  });

  test('a key ID that stays unknown is refused', async () => {
    const keys = source(keySet(jwk(ec, { kid: 'k0' })));
    expect(await causeOf(verifier(keys).verify(await issue()))).toBe('no key fits its key ID and algorithm');
    expect(keys.asked).toBe(1);
  });

  test('keys without key ID are tried for a token that names another, and all keys for one that names none', async () => {
    const { verify } = verifier(source(keySet(jwk(stranger, { kid: 'k0' }), jwk(ec))));
    expect((await verify(await issue())).clientId).toBe('radio-17');
    expect((await verify(await issue({}, { kid: undefined }))).clientId).toBe('radio-17');
    expect((await verify(await issue({}, { kid: undefined }, stranger))).clientId).toBe('radio-17');
    expect(await causeOf(verify(await issue({}, { kid: 7 })))).toBe('the key ID is not a string');
  });

  test('two keys of one key ID are both tried', async () => {
    const { verify } = verifier(source(keySet(jwk(stranger, { kid: 'k1' }), jwk(ec, { kid: 'k1' }))));
    expect((await verify(await issue())).clientId).toBe('radio-17');
  });

  test.each([
    [{ use: 'enc' }],
    [{ key_ops: ['encrypt'] }],
    [{ key_ops: 'verify' }],
    [{ alg: 'ECDH-ES' }],
    [{ alg: 'RS256' }],
    [{ crv: 'P-384' }],
    [{ kty: 'RSA' }],
    [{ d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI' }],
    [{ kid: 1 }],
  ])('RFC 7517 4: a key with %j verifies nothing', async (more) => {
    const keys = source(keySet(jwk(ec, { kid: 'k1', ...more })));
    expect(await causeOf(verifier(keys).verify(await issue()))).toBe('no key fits its key ID and algorithm');
  });

  test.each([[{}], [{ use: 'sig' }], [{ key_ops: ['verify'] }], [{ alg: 'ES256' }], [{ unknown: true }]])(
    'RFC 7517 4: a key with %j verifies',
    async (more) => {
      const { verify } = verifier(source(keySet(jwk(ec, { kid: 'k1', ...more }))));
      expect((await verify(await issue())).clientId).toBe('radio-17');
    },
  );

  test('RFC 7517 5: unusable keys are left out, the others stay', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const secret = { kty: 'oct', k: 'c2VjcmV0' };
    const broken = { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' };
    expect(keySet(jwk(weak), secret, broken, { kty: 'new' }, jwk(ec, { kid: 'k1' })).map(({ kid }) => kid)).toEqual([
      'k1',
    ]);
    expect(parseKeySet('{"keys":[null,1,"x",[]]}')).toEqual([]);
  });

  test.each([
    ['', 'is not JSON'],
    ['[]', 'is not a JSON Web Key Set'],
    ['{"keys":{}}', 'is not a JSON Web Key Set'],
  ])('%j is no key set', (text, problem) => {
    expect(() => parseKeySet(text)).toThrow(problem);
  });

  test('a set of more than 100 keys is refused', () => {
    expect(() => keySet(...Array.from({ length: 101 }, () => ({})))).toThrow('more than 100 keys');
  });
});

describe('verified tokens are remembered', () => {
  /** A key set that tells how often a key was used. */
  function counted(): { readonly set: KeySet; uses: number } {
    const set = keySet(jwk(ec, { kid: 'k1' }));
    const counter = { set, uses: 0 };
    counter.set = set.map((key) => ({
      ...key,
      get key() {
        counter.uses += 1;
        return key.key;
      },
    }));
    return counter;
  }

  test('until they expire, never longer', async () => {
    const clock = { now: start * 1000 };
    const counter = counted();
    const { verify } = verifier(source(counter.set), { now: () => clock.now });
    const token = await issue({ exp: start + 600 });
    const first = await verify(token);
    clock.now += 599_000;
    expect(await verify(token)).toBe(first);
    expect(counter.uses).toBe(1);
    clock.now += 2_000;
    expect((await verify(token)).clientId).toBe('radio-17');
    expect(counter.uses).toBe(2);
    clock.now += 30_000;
    expect(await causeOf(verify(token))).toBe('it has expired');
  });

  test('until the keys change', async () => {
    const keys = source(keySet(jwk(ec, { kid: 'k1' })));
    const { verify } = verifier(keys);
    const token = await issue();
    await verify(token);
    keys.set = keySet(jwk(stranger, { kid: 'k1' }));
    expect(await causeOf(verify(token))).toBe('its signature is not that of an accepted key');
  });

  test('and refused ones for ten seconds', async () => {
    const clock = { now: start * 1000 };
    const counter = counted();
    const { verify } = verifier(source(counter.set), { now: () => clock.now });
    const forged = await issue({}, {}, stranger);
    for (let round = 0; round < 3; round++) {
      expect(await causeOf(verify(forged))).toBe('its signature is not that of an accepted key');
    }
    expect(counter.uses).toBe(1);
    clock.now += 10_000;
    await causeOf(verify(forged));
    expect(counter.uses).toBe(2);
  });

  test('within bounds: more tokens than entries are all still verified', async () => {
    const { verify } = verifier(source(keySet(jwk(ec, { kid: 'k1' }))), { cacheEntries: 4 });
    for (let index = 0; index < 12; index++) {
      const token = await issue({ client_id: `c${index}` });
      expect((await verify(token)).clientId).toBe(`c${index}`);
      expect((await verify(token)).clientId).toBe(`c${index}`);
    }
  });
});

test('without keys the answer is unavailable, not a judgement of the token', async () => {
  const keys: JwksSource = {
    current: () => Promise.reject(new Refusal('unavailable', { retryAfter: 30 })),
    refreshed: () => Promise.reject(new Refusal('unavailable')),
  };
  await expect(verifier(keys).verify(await issue())).rejects.toMatchObject({ code: 'unavailable' });
});
