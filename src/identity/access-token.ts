// Access tokens of the identity management server: signature, claims and the MC service IDs they speak for.
// TS 33.180 annex B, RFC 7515, RFC 7519, RFC 8725.
import { hash } from 'node:crypto';
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { Refusal } from '../refusals.ts';
import { type BoundedCache, boundedCache } from './bounded-cache.ts';
import {
  isSignatureAlgorithm,
  type KeySet,
  keysFor,
  type SignatureAlgorithm,
  signatureAlgorithms,
  unnamedKeysFor,
} from './jwks.ts';
import type { JwksSource } from './jwks-source.ts';
import { canonicalUri } from './uri.ts';

/** What a verified access token says. */
export interface AccessToken {
  /** Canonical MCPTT, MCVideo and MCData IDs, at least one, without repetition. */
  readonly identities: readonly string[];
  readonly scopes: readonly string[];
  /** The client that the token was issued to. */
  readonly clientId?: string | undefined;
  /** Seconds since 1970. */
  readonly expires: number;
}

export interface AccessTokenOptions {
  /** Accepted values of `iss`; undefined = the claim is not looked at, and the keys alone say who issued the token. */
  readonly issuer: string | readonly string[] | undefined;
  /** Our names in `aud`, one of which must be there; undefined = the claim is not looked at. */
  readonly audience: string | readonly string[] | undefined;
  readonly keys: JwksSource;
  /** Tolerated difference between clocks, seconds; 30 when absent, the most that TS 33.180 allows. */
  readonly clockSkewSeconds?: number | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Verified tokens remembered; 10,000 when absent. */
  readonly cacheEntries?: number | undefined;
}

export interface AccessTokenVerifier {
  /**
   * Verifies a token in compact serialization. Throws the Refusal `token-invalid`, whose `cause` names the check that failed and
   * repeats nothing of the token, or `unavailable` while there are no keys to verify with.
   */
  verify(token: string): Promise<AccessToken>;
}

/** TS 33.180 annex B.4.2.2, and a spelling of an open-source client. */
export const groupManagementScopes: readonly string[] = [
  '3gpp:mc:ptt_group_management_service',
  '3gpp:mc:video_group_management_service',
  '3gpp:mc:data_group_management_service',
  '3gpp:mcptt:group_management_server',
];

/** True when the token was issued for group management, by any of the accepted scopes. */
export function hasGroupManagementScope(
  token: AccessToken,
  accepted: readonly string[] = groupManagementScopes,
): boolean {
  return token.scopes.some((scope) => accepted.includes(scope));
}

/** Largest token looked at, characters (a token is ASCII). */
const longestToken = 16 * 1024;
/** Keys tried for a token that names none; more would make forged tokens expensive. */
const mostCandidates = 8;
const refusedSeconds = 10;
const identityClaims = ['mcptt_id', 'mcvideo_id', 'mcdata_id'] as const;
// RFC 7519 5.1, RFC 9068 2.1: other kinds of token are signed with the same keys
const acceptedTypes = ['jwt', 'at+jwt'];

/** What was found out about a token with one set of keys. */
interface Finding {
  readonly set: KeySet;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** The token, or why it is refused. */
  readonly outcome: AccessToken | Refusal;
}

/** Makes a verifier that remembers verified tokens until they expire or the keys change, and refused ones for seconds. */
export function accessTokenVerifier(options: AccessTokenOptions): AccessTokenVerifier {
  const { keys, now, cacheEntries = 10_000 } = options;
  // Apart from each other, so that a flood of forged tokens displaces no verified one
  const verified = boundedCache<Finding>(cacheEntries);
  const refused = boundedCache<Finding>(cacheEntries);
  const known = (cache: BoundedCache<Finding>, fingerprint: string, set: KeySet): Finding['outcome'] | undefined => {
    const finding = cache.get(fingerprint);
    return finding !== undefined && finding.set === set && finding.until > now() ? finding.outcome : undefined;
  };
  const remember = (fingerprint: string, set: KeySet, outcome: Finding['outcome']): void => {
    const cache = outcome instanceof Refusal ? refused : verified;
    const until = outcome instanceof Refusal ? now() + refusedSeconds * 1000 : outcome.expires * 1000;
    if (until > now()) cache.remember(fingerprint, { set, until, outcome }, (until - now()) / 1000);
  };

  return {
    async verify(token) {
      if (token.length > longestToken) throw invalid(`longer than ${longestToken} characters`);
      const current = await keys.current();
      const fingerprint = hash('sha256', token, 'base64url');
      let outcome = known(verified, fingerprint, current) ?? known(refused, fingerprint, current);
      if (outcome === undefined) {
        const { set, candidates } = await chooseKeys(keys, current, protectedHeader(token));
        outcome = await judge(token, candidates, options);
        remember(fingerprint, set, outcome);
      }
      if (outcome instanceof Refusal) throw outcome;
      return outcome;
    },
  };
}

async function judge(token: string, candidates: KeySet, options: AccessTokenOptions): Promise<AccessToken | Refusal> {
  try {
    return readClaims(await verifiedClaims(token, candidates, options), options);
  } catch (error) {
    return error instanceof Refusal ? error : invalid('not a sound token');
  }
}

interface Header {
  readonly alg: SignatureAlgorithm;
  readonly kid: string | undefined;
}

function protectedHeader(token: string): Header {
  if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) throw invalid('not a JWS in compact serialization');
  let header: ReturnType<typeof decodeProtectedHeader>;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw invalid('the header cannot be decoded');
  }
  const { alg, kid, typ }: { alg?: unknown; kid?: unknown; typ?: unknown } = header;
  // RFC 8725 3.1: the algorithm is chosen by us, not by the token
  if (!isSignatureAlgorithm(alg)) throw invalid('the algorithm is not accepted');
  if (kid !== undefined && typeof kid !== 'string') throw invalid('the key ID is not a string');
  // RFC 8725 3.11
  if (typ !== undefined && !(typeof typ === 'string' && acceptedTypes.includes(bareType(typ)))) {
    throw invalid('the type is not that of an access token');
  }
  return { alg, kid };
}

// RFC 7515 4.1.9: `application/` may be left out
function bareType(typ: string): string {
  return typ.toLowerCase().replace(/^application\//, '');
}

interface Choice {
  readonly set: KeySet;
  readonly candidates: KeySet;
}

async function chooseKeys(source: JwksSource, set: KeySet, { alg, kid }: Header): Promise<Choice> {
  const candidates = keysFor(set, alg, kid);
  if (candidates.length > 0) return { set, candidates: candidates.slice(0, mostCandidates) };
  const newer = await source.refreshed(set);
  const named = keysFor(newer, alg, kid);
  // RFC 7515 4.1.4: the key ID is a hint, so a key without one may be the right one
  const usable = named.length > 0 ? named : unnamedKeysFor(newer, alg);
  if (usable.length === 0) throw invalid('no key fits its key ID and algorithm');
  return { set: newer, candidates: usable.slice(0, mostCandidates) };
}

async function verifiedClaims(
  token: string,
  candidates: KeySet,
  { issuer, audience, clockSkewSeconds = 30, now }: AccessTokenOptions,
): Promise<JWTPayload> {
  for (const { key } of candidates) {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [...signatureAlgorithms],
        ...(issuer === undefined ? {} : { issuer: [issuer].flat() }),
        ...(audience === undefined ? {} : { audience: [audience].flat() }),
        requiredClaims: ['exp'],
        clockTolerance: clockSkewSeconds,
        currentDate: new Date(now()),
      });
      return payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw invalid(failedCheck(error));
    }
  }
  throw invalid('its signature is not that of an accepted key');
}

function failedCheck(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed) return `its claim ${error.claim} is ${claimProblem(error)}`;
  return error instanceof errors.JOSEError ? `not a sound token (${error.code})` : 'not a sound token';
}

function claimProblem({ claim, reason }: errors.JWTClaimValidationFailed): string {
  if (reason === 'missing') return 'missing';
  return claim === 'nbf' && reason === 'check_failed' ? 'in the future' : 'not accepted';
}

function readClaims(claims: JWTPayload, { clockSkewSeconds = 30, now }: AccessTokenOptions): AccessToken {
  const { exp, iat, scope, client_id: clientId }: Readonly<Record<string, unknown>> = claims;
  // JSON.parse makes infinity of 1e999, which would never expire
  if (typeof exp !== 'number' || !Number.isFinite(exp)) throw invalid('its claim exp is not accepted');
  if (iat !== undefined && !(typeof iat === 'number' && iat <= now() / 1000 + clockSkewSeconds)) {
    throw invalid('its claim iat is in the future');
  }
  if (clientId !== undefined && typeof clientId !== 'string') throw invalid('its claim client_id is not accepted');
  return Object.freeze({ identities: readIdentities(claims), scopes: readScopes(scope), clientId, expires: exp });
}

function readIdentities(claims: JWTPayload): readonly string[] {
  const identities = new Set<string>();
  for (const claim of identityClaims) {
    const value = claims[claim];
    if (value === undefined) continue;
    const identity = typeof value === 'string' ? canonicalUri(value) : undefined;
    if (identity === undefined) throw invalid(`its claim ${claim} is not a URI`);
    identities.add(identity);
  }
  if (identities.size === 0) throw invalid('it names no MC service ID');
  return Object.freeze([...identities]);
}

// RFC 8693 4.2 wants one string; some servers issue an array
function readScopes(scope: unknown): readonly string[] {
  if (scope === undefined) return [];
  const scopes = typeof scope === 'string' ? scope.split(' ') : scope;
  if (!Array.isArray(scopes) || !scopes.every((one) => typeof one === 'string')) {
    throw invalid('its claim scope is not accepted');
  }
  return Object.freeze([...new Set<string>(scopes)].filter((one) => one !== ''));
}

function invalid(cause: string): Refusal {
  return new Refusal('token-invalid', { cause: `access token refused: ${cause}` });
}
