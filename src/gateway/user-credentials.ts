// What users prove their identity with, as configured: access tokens with the keys to verify them, and Digest users.
// A reload that leaves the configuration of tokens alone keeps their keys, so that it cannot lock users out while the source is down.
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ConfiguredFiles } from '../config/configured-files.ts';
import type { Configuration } from '../config/schema.ts';
import { accessTokenVerifier } from '../identity/access-token.ts';
import type { AuthorizationSchemes, TokenCheck } from '../identity/authorization.ts';
import { type DigestAuthenticator, digestAuthenticator } from '../identity/digest.ts';
import { digestBrake } from '../identity/digest-brake.ts';
import { digestNonces } from '../identity/digest-nonces.ts';
import { parseDigestUsers } from '../identity/digest-users.ts';
import { jwksSource } from '../identity/jwks-source.ts';

/** Schemes, and the configuration they were made of. */
export interface UserCredentials {
  readonly schemes: AuthorizationSchemes;
  readonly configuration: Configuration['identity'];
}

export interface CredentialsLog {
  info(text: string): void;
  warn(fields: object, text: string): void;
}

/**
 * Prepares the schemes of `configuration`; what has not changed is taken from `before`. Keys that cannot be loaded now are logged and
 * tried again. Rejects when the users' file cannot be used.
 */
export async function userCredentials(
  configuration: Configuration['identity'],
  files: ConfiguredFiles,
  log: CredentialsLog,
  before?: UserCredentials,
): Promise<UserCredentials> {
  const { tokens, digest } = configuration;
  const kept = before !== undefined && isDeepStrictEqual(before.configuration.tokens, tokens);
  return {
    configuration,
    schemes: {
      ...(digest === undefined ? {} : { digest: digestOf(digest, files.text(digest.users)) }),
      ...(kept ? { tokens: before.schemes.tokens } : tokens === undefined ? {} : { tokens: tokenCheck(tokens, log) }),
    },
  };
}

function tokenCheck(
  { issuer, audience, jwks, scopes }: NonNullable<Configuration['identity']['tokens']>,
  log: CredentialsLog,
): TokenCheck {
  const keys = jwksSource(jwks, {
    now: Date.now,
    onProblem(problem) {
      if (problem === undefined) log.info('the keys of access tokens can be loaded again');
      else log.warn({ problem }, 'the keys of access tokens cannot be loaded');
    },
  });
  // The first caller shall not wait; a failure was told to the log
  keys.current().catch(() => undefined);
  return { verifier: accessTokenVerifier({ issuer, audience, keys, now: Date.now }), scopes };
}

function digestOf(
  { realm, algorithms, acceptMissingQop }: NonNullable<Configuration['identity']['digest']>,
  users: string,
): DigestAuthenticator {
  return digestAuthenticator(
    { realm, users: parseDigestUsers(users, realm), algorithms, acceptMissingQop },
    digestNonces({ secret: randomBytes(32), realm, now: Date.now, random: randomBytes }),
    digestBrake({ now: Date.now }),
  );
}
