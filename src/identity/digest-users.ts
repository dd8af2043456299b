// Users of Digest authentication, kept as hashes in a text file that never holds a password.
// RFC 7616 clauses 3.4.2, 3.4.4 and 5.2.
import { createHash } from 'node:crypto';
import { canonicalUri } from './uri.ts';

/** Algorithms offered, most preferred first. RFC 7616 clause 3.7. */
export const digestAlgorithms = ['SHA-256', 'MD5'] as const;
export type DigestAlgorithm = (typeof digestAlgorithms)[number];

export interface DigestUser {
  readonly name: string;
  /** H(A1) by algorithm, hexadecimal in lower case; an algorithm that is absent cannot be used by this user. */
  readonly secrets: { readonly [Algorithm in DigestAlgorithm]?: string | undefined };
  /** Canonical MC service IDs, at least one. */
  readonly identities: readonly string[];
}

export interface DigestUsers {
  readonly count: number;
  byName(name: string): DigestUser | undefined;
  /** By H(name ":" realm), hexadecimal in lower case. RFC 7616 clause 3.4.4. */
  byHash(hash: string, algorithm: DigestAlgorithm): DigestUser | undefined;
}

/** H(data) of RFC 7616 clause 3.3, hexadecimal in lower case; a string counts as its UTF-8 octets. */
export function digestHash(algorithm: DigestAlgorithm, data: string | Buffer): string {
  return createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
    .update(data)
    .digest('hex');
}

/**
 * One line of a users' file: `name:realm:MD5:SHA-256:identity …`, where MD5 and SHA-256 are H(A1) of RFC 7616 clause 3.4.2 in
 * hexadecimal, or `-` for an algorithm that this user shall not use. A password may hold any character; a name no colon.
 */
export function digestUserLine(name: string, realm: string, password: string, identities: readonly string[]): string {
  const [user, secret] = [name.normalize('NFC'), password.normalize('NFC')];
  const hashes = (['MD5', 'SHA-256'] as const).map((algorithm) => digestHash(algorithm, `${user}:${realm}:${secret}`));
  return [user, realm, ...hashes, identities.join(' ')].join(':');
}

/** What stands in a users' file; lines count from 1. */
export interface DigestUsersFile {
  readonly entries: readonly { readonly line: number; readonly user: DigestUser }[];
  /** What is wrong with other lines; quotes none of them. */
  readonly problems: readonly { readonly line: number; readonly text: string }[];
}

/**
 * Reads the text of a users' file line by line, each as {@link digestUserLine} makes them; empty lines and those that begin with `#` do
 * not count. Lines that are malformed, of another realm, or repeat a name are problems.
 */
export function readDigestUsers(text: string, realm: string): DigestUsersFile {
  const entries = new Map<string, { readonly line: number; readonly user: DigestUser }>();
  const problems: { readonly line: number; readonly text: string }[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const user = parseLine(line, realm);
    const at = index + 1;
    if (typeof user === 'string') problems.push({ line: at, text: user });
    else if (entries.has(user.name)) problems.push({ line: at, text: 'has a name that is already there' });
    else entries.set(user.name, { line: at, user });
  }
  return { entries: [...entries.values()], problems };
}

/** Users from the text of a users' file; see {@link readDigestUsers}. Throws an Error that names every line with a problem. */
export function parseDigestUsers(text: string, realm: string): DigestUsers {
  const { entries, problems } = readDigestUsers(text, realm);
  if (problems.length > 0) throw new Error(problems.map((one) => `line ${one.line}: ${one.text}`).join('; '));
  return indexed(new Map(entries.map(({ user }) => [user.name, user])), realm);
}

function indexed(users: ReadonlyMap<string, DigestUser>, realm: string): DigestUsers {
  const hashed = (algorithm: DigestAlgorithm): ReadonlyMap<string, DigestUser> =>
    new Map([...users.values()].map((user) => [digestHash(algorithm, `${user.name}:${realm}`), user]));
  const byHash = { 'SHA-256': hashed('SHA-256'), MD5: hashed('MD5') };
  return {
    count: users.size,
    // RFC 7616 4: names are compared in Normalization Form C
    byName: (name) => users.get(name.normalize('NFC')),
    byHash: (hash, algorithm) => byHash[algorithm].get(hash),
  };
}

function parseLine(line: string, realm: string): DigestUser | string {
  // The hashes have a fixed width, so a realm may hold colons
  const match = /^([^:]+):(.+):([0-9a-f]{32}|-):([0-9a-f]{64}|-):([a-z][a-z0-9+.-]*:.*)$/i.exec(line);
  if (match === null) return 'is not name:realm:MD5:SHA-256:identity';
  const [, name = '', lineRealm, md5 = '-', sha256 = '-', list = ''] = match;
  if (lineRealm !== realm) return 'is of another realm';
  const identities = list.split(/\s+/).map(canonicalUri);
  const known = identities.filter((identity) => identity !== undefined);
  if (known.length < identities.length) return 'has an identity that is not a URI';
  const secrets = { 'SHA-256': hashOf(sha256), MD5: hashOf(md5) };
  if (secrets['SHA-256'] === undefined && secrets.MD5 === undefined) return 'has no hash';
  return { name: name.normalize('NFC'), secrets, identities: [...new Set(known)] };
}

function hashOf(field: string): string | undefined {
  return field === '-' ? undefined : field.toLowerCase();
}
