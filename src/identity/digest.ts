// Digest authentication for classic XCAP clients: challenges, and whether the response of a client is right.
// RFC 7616; RFC 2069 clients only by configuration.
import { timingSafeEqual } from 'node:crypto';
import { Refusal } from '../refusals.ts';
import type { DigestBrake } from './digest-brake.ts';
import { type DigestAuthorization, parseDigestAuthorization } from './digest-header.ts';
import type { DigestNonces } from './digest-nonces.ts';
import {
  type DigestAlgorithm,
  type DigestUser,
  type DigestUsers,
  digestAlgorithms,
  digestHash,
} from './digest-users.ts';

export interface DigestRealm {
  readonly realm: string;
  readonly users: DigestUsers;
  /** Algorithms offered and accepted; SHA-256 and MD5 when absent. */
  readonly algorithms?: readonly DigestAlgorithm[] | undefined;
  /** Accepts MD5 responses without qop, as RFC 2069 has them; each then needs a nonce of its own. False when absent. */
  readonly acceptMissingQop?: boolean | undefined;
}

/** What a response is compared with. */
export interface DigestRequest {
  readonly method: string;
  /** As in the request line. */
  readonly requestTarget: string;
  /** IP address of the connection's other end, when it is known. */
  readonly peerAddress?: string | undefined;
}

export interface ChallengeParameters {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque?: string | undefined;
  /** The credentials were right, only the nonce was not. */
  readonly stale?: boolean | undefined;
  readonly algorithms?: readonly DigestAlgorithm[] | undefined;
}

/**
 * Values of WWW-Authenticate, one for each algorithm in order of preference (RFC 7616 clause 3.7). Only `auth` is offered: the
 * body is not at hand when credentials are checked. Throws an Error when realm or opaque cannot stand in a quoted string.
 */
export function challenges(parameters: ChallengeParameters): readonly string[] {
  const { realm, nonce, opaque, stale = false, algorithms = digestAlgorithms } = parameters;
  return algorithms.map((algorithm) =>
    [
      `Digest realm=${quoted(realm)}`,
      'qop="auth"',
      `algorithm=${algorithm}`,
      `nonce=${quoted(nonce)}`,
      ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
      ...(stale ? ['stale=true'] : []),
      // Clients that take MD5 are older than these parameters
      ...(algorithm === 'MD5' ? [] : ['charset=UTF-8', 'userhash=true']),
    ].join(', '),
  );
}

/** The response that a client with the secret H(A1) sends, hexadecimal in lower case. RFC 7616 clause 3.4.1. */
export function digestResponse(
  algorithm: DigestAlgorithm,
  secret: string,
  method: string,
  { nonce, uri, protection }: Pick<DigestAuthorization, 'nonce' | 'uri' | 'protection'>,
): string {
  // Header text has one character per octet
  const hash = (text: string): string => digestHash(algorithm, Buffer.from(text, 'latin1'));
  const a2 = hash(`${method}:${uri}`);
  if (protection === undefined) return hash(`${secret}:${nonce}:${a2}`);
  // Some clients count in capitals; what they sent is what they hashed
  const { nonceCount, cnonce, qop } = protection;
  return hash([secret, nonce, nonceCount, cnonce, qop, a2].join(':'));
}

/** The user, or why the credentials are wrong, for the journal. */
export type DigestVerdict = { readonly user: DigestUser } | { readonly wrong: string };

/**
 * The user whose secret made the response to this request, whatever the nonce. Throws the Refusal `bad-request` for credentials that do
 * not belong to this request or use what was not offered; returns the reason when they are wrong.
 */
export function verifyDigest(
  realm: DigestRealm,
  request: DigestRequest,
  authorization: DigestAuthorization,
): DigestVerdict {
  const { protection, response } = authorization;
  if (authorization.realm !== realm.realm) return { wrong: 'the realm is not ours' };
  const algorithm = offeredAlgorithm(realm, authorization);
  if (algorithm === undefined) return { wrong: 'the algorithm was not offered' };
  if (protection === undefined && !(realm.acceptMissingQop === true && algorithm === 'MD5')) {
    throw unusable('qop is missing');
  }
  if (protection !== undefined && protection.qop !== 'auth') throw unusable('qop was not offered');
  // RFC 7616 3.4.6: another resource is a bad request, and may be an attack
  if (comparable(authorization.uri) !== comparable(request.requestTarget))
    throw unusable('uri is not the request target');
  const user = namedUser(realm, authorization, algorithm);
  // An unknown user costs the same time as a wrong password
  const secret = user?.secrets[algorithm];
  const expected = digestResponse(
    algorithm,
    secret ?? digestHash(algorithm, realm.realm),
    request.method,
    authorization,
  );
  const right = equalInConstantTime(expected, response);
  if (user === undefined || secret === undefined) return { wrong: 'no such user with this algorithm' };
  return right ? { user } : { wrong: `the response of ${user.name} is wrong` };
}

function offeredAlgorithm(
  { algorithms = digestAlgorithms }: DigestRealm,
  { algorithm }: DigestAuthorization,
): DigestAlgorithm | undefined {
  return algorithms.find((one) => sameToken(one, algorithm));
}

function namedUser(
  { users }: DigestRealm,
  { userhash, username }: DigestAuthorization,
  algorithm: DigestAlgorithm,
): DigestUser | undefined {
  return userhash ? users.byHash(username.toLowerCase(), algorithm) : users.byName(username);
}

export interface DigestAuthenticator {
  /** Values of WWW-Authenticate for a request without credentials. */
  challenges(): readonly string[];
  /**
   * The user that an Authorization header field stands for. Throws the Refusal `bad-request` when it is malformed or belongs to another
   * request, `too-many-attempts` when too many were wrong lately, and `credentials-required` with fresh challenges when it is wrong or
   * its nonce is stale.
   */
  verify(request: DigestRequest, authorization: string): DigestUser;
}

/** Joins a realm with its nonces and the brake on guesses. Throws an Error when the name of the realm cannot stand in a challenge. */
export function digestAuthenticator(realm: DigestRealm, nonces: DigestNonces, brake: DigestBrake): DigestAuthenticator {
  const { realm: name, algorithms } = realm;
  const challenge = (stale: boolean): readonly string[] =>
    challenges({ realm: name, nonce: nonces.issue(), stale, algorithms });
  quoted(name);
  return {
    challenges: () => challenge(false),
    verify(request, header) {
      const authorization = parseDigestAuthorization(header);
      const { peerAddress = '' } = request;
      const algorithm = offeredAlgorithm(realm, authorization);
      const claimed = algorithm === undefined ? undefined : namedUser(realm, authorization, algorithm)?.name;
      const retryAfter = brake.wait(claimed, peerAddress);
      if (retryAfter !== undefined) {
        const cause = `Digest credentials: too many were wrong, the last from ${peerAddress}`;
        throw new Refusal('too-many-attempts', { retryAfter, cause });
      }
      const verdict = verifyDigest(realm, request, authorization);
      if ('wrong' in verdict) {
        brake.wrong(claimed, peerAddress);
        throw challenged('The credentials are not accepted', verdict.wrong, challenge(false));
      }
      const { user } = verdict;
      brake.right(user.name, peerAddress);
      // RFC 7616 3.3: stale only when all but the nonce is right; the nonce of a forger must not use up a count
      if (nonces.use(authorization.nonce, authorization.protection?.nc) === 'stale') {
        throw challenged(
          'The nonce is no longer valid',
          `the nonce of ${user.name} is stale or replayed`,
          challenge(true),
        );
      }
      return user;
    },
  };
}

// RFC 3986 6.2.2: what may differ between spellings of one URI without naming another resource. A character that no URI may contain
// has only its encoded meaning.
function comparable(uri: string): string {
  return uri.replace(/%([0-9a-f]{2})|[^A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]/gi, (unit, hex: string | undefined) => {
    if (hex === undefined) return `%${unit.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : unit.toUpperCase();
  });
}

function equalInConstantTime(expected: string, actual: string): boolean {
  const [one, other] = [Buffer.from(expected), Buffer.from(actual)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function sameToken(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function quoted(text: string): string {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new Error('a Digest realm must be printable ASCII');
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function unusable(cause: string): Refusal {
  return new Refusal('bad-request', {
    phrase: 'The Digest credentials do not fit the request',
    cause: `Digest credentials: ${cause}`,
  });
}

function challenged(phrase: string, cause: string, values: readonly string[]): Refusal {
  return new Refusal('credentials-required', { phrase, cause: `Digest credentials: ${cause}`, challenges: values });
}
