// The Authorization header field on our own faces: the schemes that are configured, whose credentials are right, and what a caller
// without credentials is asked for. RFC 9110 clause 11, RFC 6750, RFC 7616.
import { Refusal } from '../refusals.ts';
import { type AccessTokenVerifier, groupManagementScopes, hasGroupManagementScope } from './access-token.ts';
import type { DigestAuthenticator, DigestRequest } from './digest.ts';
import { isDigest } from './digest-header.ts';

/** Access tokens as they are accepted here. */
export interface TokenCheck {
  readonly verifier: AccessTokenVerifier;
  /** A token must have one of these; the scopes of group management when absent. */
  readonly scopes?: readonly string[] | undefined;
}

/** The schemes that are configured. */
export interface AuthorizationSchemes {
  readonly tokens?: TokenCheck | undefined;
  readonly digest?: DigestAuthenticator | undefined;
}

/**
 * The MC service IDs in an access token, canonical. Throws the Refusals of the verifier, and `insufficient-scope` for a token that was
 * issued for something else.
 */
export async function tokenIdentities(
  { verifier, scopes = groupManagementScopes }: TokenCheck,
  token: string,
): Promise<readonly string[]> {
  const verified = await verifier.verify(token);
  if (hasGroupManagementScope(verified, scopes)) return verified.identities;
  throw new Refusal('insufficient-scope', { challenges: [bearer(scopes, 'insufficient_scope')] });
}

/**
 * The identities, canonical, that an Authorization header field proves. `fields` are all of that name in the request. Throws the Refusal
 * `bad-request` when there are several or the one is malformed, `token-invalid`, `insufficient-scope`, `credentials-required` or
 * `credentials-refused` when it is wrong, `too-many-attempts`, `unavailable` when it cannot be verified now.
 */
export async function authorizedIdentities(
  schemes: AuthorizationSchemes,
  fields: readonly string[],
  request: DigestRequest,
): Promise<readonly string[]> {
  const [authorization = '', ...others] = fields;
  // Which of two was meant nobody knows, and another server on the way may have looked at the other one
  if (others.length > 0) throw malformed(schemes, 'Authorization stands in the request more than once');
  if (isBearer(authorization)) return bearerIdentities(schemes, authorization);
  if (schemes.digest !== undefined && isDigest(authorization)) {
    return schemes.digest.verify(request, authorization).identities;
  }
  const cause = 'an Authorization scheme that is not configured here';
  if (schemes.digest === undefined) throw new Refusal('credentials-refused', { cause });
  throw new Refusal('credentials-required', { cause, challenges: challengesOf(schemes) });
}

/** The Refusal for a request without credentials. `status`: what it is without Digest, which always asks. */
export function missingCredentials(schemes: AuthorizationSchemes, status: 401 | 403): Refusal {
  // TS 24.482 A.2.3 wants 403, RFC 6750 3 wants 401 with a challenge, and RFC 7616 3.3 clients send nothing before a challenge
  if (schemes.digest === undefined && status === 403) return new Refusal('credentials-missing');
  return new Refusal('credentials-required', { challenges: challengesOf(schemes) });
}

async function bearerIdentities(schemes: AuthorizationSchemes, authorization: string): Promise<readonly string[]> {
  const { tokens, digest } = schemes;
  if (tokens === undefined) {
    const challenges = digest === undefined ? undefined : challengesOf(schemes);
    throw new Refusal('token-invalid', { challenges, cause: 'access tokens are not configured here' });
  }
  const token = authorization.slice('Bearer'.length).trim();
  // RFC 6750 2.1: one b64token
  if (token === '' || /[\s,]/.test(token)) throw malformed(schemes, 'not one token follows Bearer');
  return tokenIdentities(tokens, token);
}

function isBearer(authorization: string): boolean {
  return /^bearer([ \t]|$)/i.test(authorization);
}

function challengesOf({ tokens, digest }: AuthorizationSchemes): readonly string[] {
  return [
    ...(digest?.challenges() ?? []),
    ...(tokens === undefined && digest !== undefined ? [] : [bearer(tokens?.scopes ?? groupManagementScopes)]),
  ];
}

// RFC 6750 3: the scheme is followed by at least one parameter
function bearer(scopes: readonly string[], error?: string): string {
  const scope = `scope="${scopes.join(' ')}"`;
  return error === undefined ? `Bearer ${scope}` : `Bearer error="${error}", ${scope}`;
}

// RFC 6750 3.1
function malformed({ tokens }: AuthorizationSchemes, cause: string): Refusal {
  const challenges = tokens === undefined ? undefined : ['Bearer error="invalid_request"'];
  return new Refusal('bad-request', {
    phrase: 'The Authorization header field cannot be understood',
    cause,
    challenges,
  });
}
