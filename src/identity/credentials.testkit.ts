// What users bring in tests: access tokens signed with real keys, and a Digest client that answers challenges as RFC 7616 says.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { digestAuthenticator } from './digest.ts';
import { digestBrake } from './digest-brake.ts';
import { digestNonces } from './digest-nonces.ts';
import { digestUserLine, parseDigestUsers } from './digest-users.ts';

export const issuer = 'https://idm.blue.example';
export const audience = 'gms.blue.example';

/** A clock that stands still until it is moved; milliseconds since 1970. */
export interface TestClock {
  now: number;
}

/** An identity management server: one signing key, and tokens on demand. */
export interface TokenIssuer {
  readonly privateKey: KeyObject;
  /** Its public key as a member of a JSON Web Key Set. */
  readonly jwk: object;
  /** A token for group management that is good for ten minutes, with these claims instead of the usual ones. */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>;
}

/** Makes a server whose key has this ID. `clock` dates its tokens. */
export function tokenIssuer(kid: string, clock: TestClock): TokenIssuer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKey,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid },
    token: (claims = {}) => {
      const seconds = Math.floor(clock.now / 1000);
      const usual = {
        iss: issuer,
        aud: audience,
        iat: seconds,
        exp: seconds + 600,
        scope: 'openid 3gpp:mc:ptt_group_management_service',
      };
      return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey);
    },
  };
}

/** The text of a JSON Web Key Set. */
export function keySetText(...issuers: readonly TokenIssuer[]): string {
  return JSON.stringify({ keys: issuers.map(({ jwk }) => jwk) });
}

/** Digest with these users: name, password, identities. */
export function digestWith(
  realm: string,
  users: readonly (readonly [name: string, password: string, identity: string])[],
  clock: TestClock,
): ReturnType<typeof digestAuthenticator> {
  const lines = users.map(([name, password, identity]) => digestUserLine(name, realm, password, [identity]));
  return digestAuthenticator(
    { realm, users: parseDigestUsers(lines.join('\n'), realm) },
    digestNonces({ secret: randomBytes(32), realm, now: () => clock.now, random: randomBytes }),
    digestBrake({ now: () => clock.now }),
  );
}

/** The parameters of the challenge for an algorithm in the value(s) of WWW-Authenticate. Throws when there is none. */
export function challengeFor(algorithm: string, header: string | undefined): ReadonlyMap<string, string> {
  const challenge = (header ?? '').split(/, (?=Digest |Bearer )/).find((one) => one.includes(`algorithm=${algorithm}`));
  if (challenge === undefined) throw new Error(`no challenge for ${algorithm} in ${header}`);
  return new Map([...challenge.matchAll(/([a-z]+)="?([^",]*)"?/gi)].map(([, name = '', value = '']) => [name, value]));
}

export interface DigestAnswer {
  readonly challenge: ReadonlyMap<string, string>;
  readonly name: string;
  readonly password: string;
  readonly method: string;
  readonly uri: string;
  /** Count of requests with this nonce. */
  readonly nc?: number;
}

/** The Authorization header field of a client, RFC 7616 clause 3.4, written apart from the code under test. */
export function digestAuthorization({ challenge, name, password, method, uri, nc = 1 }: DigestAnswer): string {
  const algorithm = challenge.get('algorithm') ?? '';
  const [realm, nonce] = [challenge.get('realm') ?? '', challenge.get('nonce') ?? ''];
  const hash = (text: string): string =>
    createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex');
  const [count, cnonce] = [nc.toString(16).padStart(8, '0'), randomBytes(8).toString('hex')];
  const response = hash(
    [hash(`${name}:${realm}:${password}`), nonce, count, cnonce, 'auth', hash(`${method}:${uri}`)].join(':'),
  );
  return (
    `Digest username="${name}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=${algorithm}, ` +
    `qop=auth, nc=${count}, cnonce="${cnonce}", response="${response}"`
  );
}
