// Reads the key set and the users' file that a configuration names and says what would keep callers out, or let too many in.
import { readDigestUsers } from '../identity/digest-users.ts';
import { parseKeySet } from '../identity/jwks.ts';
import { acceptableUrl, isUrl } from '../identity/jwks-location.ts';
import { canonicalUri } from '../identity/uri.ts';
import type { ConfiguredFiles } from './configured-files.ts';
import type { Finding, Sections } from './cross-checks.ts';
import type { Configuration } from './schema.ts';

/** Everything wrong with the section `identity` and the files it names. Keys at a URL are not fetched. */
export function identityChecks({ identity, system }: Sections, files: ConfiguredFiles): readonly Finding[] {
  if (identity === undefined) return [];
  const { tokens, digest, missingCredentials, trustedProxies } = identity;
  return [
    ...trustedProxies.flatMap((range, index) =>
      range.endsWith('/0')
        ? [warning(['identity', 'trustedProxies', index], `${range} lets everybody who reaches us be whoever they say`)]
        : [],
    ),
    ...(tokens === undefined ? [] : tokenChecks(tokens, files)),
    ...(digest === undefined ? [] : digestChecks(digest, system?.servers ?? [], files)),
    ...(missingCredentials === 401 && tokens === undefined && digest === undefined
      ? [warning(['identity', 'missingCredentials'], 'asks for tokens, but identity.tokens is not configured')]
      : []),
  ];
}

function tokenChecks(
  tokens: NonNullable<Configuration['identity']['tokens']>,
  files: ConfiguredFiles,
): readonly Finding[] {
  const path = ['identity', 'tokens', 'jwks'];
  return [
    ...(tokens.audience === undefined
      ? [warning(['identity', 'tokens'], 'without audience, tokens issued for any other service are accepted too')]
      : []),
    ...(isUrl(tokens.jwks) ? urlChecks(tokens.jwks, path) : keySetChecks(tokens.jwks, path, files)),
  ];
}

function urlChecks(url: string, path: readonly PropertyKey[]): readonly Finding[] {
  try {
    acceptableUrl(url);
    return [];
  } catch (problem) {
    return [error(path, (problem as Error).message)];
  }
}

function keySetChecks(file: string, path: readonly PropertyKey[], files: ConfiguredFiles): readonly Finding[] {
  const text = readText(file, files);
  if (text instanceof Error) return [error(path, text.message)];
  try {
    if (parseKeySet(text).length > 0) return [];
    return [warning(path, `${file} holds no key that may verify signatures: every token is refused`)];
  } catch (problem) {
    return [error(path, `${file} ${(problem as Error).message}`)];
  }
}

function digestChecks(
  { users: file, realm }: NonNullable<Configuration['identity']['digest']>,
  servers: readonly string[],
  files: ConfiguredFiles,
): readonly Finding[] {
  const path = ['identity', 'digest', 'users'];
  const text = readText(file, files);
  if (text instanceof Error) return [error(path, text.message)];
  const { entries, problems } = readDigestUsers(text, realm);
  const psis = new Set(servers.map((psi) => canonicalUri(psi) ?? psi));
  return [
    // Whoever can read the hashes can log in with them
    ...(!files.isOpenToOthers(file) ? [] : [warning(path, `${file} can be read by others than its owner`)]),
    ...problems.map(({ line, text: what }) => ({ ...error(path, what), at: { file, line } })),
    ...entries
      .filter(({ user }) => user.identities.some((identity) => psis.has(identity)))
      .map(({ line }) => ({ ...error(path, 'names the PSI of an MC service server'), at: { file, line } })),
    ...(entries.length === 0 && problems.length === 0 ? [warning(path, `${file} names no user`)] : []),
  ];
}

function readText(file: string, files: ConfiguredFiles): string | Error {
  try {
    return files.text(file);
  } catch (problem) {
    const missing = (problem as NodeJS.ErrnoException).code === 'ENOENT';
    return new Error(`${file} ${missing ? 'does not exist' : 'cannot be read'}`);
  }
}

function error(path: readonly PropertyKey[], text: string): Finding {
  return { path, text, severity: 'error' };
}

function warning(path: readonly PropertyKey[], text: string): Finding {
  return { path, text, severity: 'warning' };
}
