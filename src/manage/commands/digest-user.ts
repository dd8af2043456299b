// `mcgw digest-user`: the line of a Digest user, for the file that identity.digest.users names.
import { digestUserLine, readDigestUsers } from '../../identity/digest-users.ts';
import { canonicalUri } from '../../identity/uri.ts';
import { NoPassword } from './password.ts';
import { exitCodes, type Terminal } from './terminal.ts';

export interface DigestUserOptions {
  readonly realm: string;
  readonly identity: readonly string[];
}

/** Prints the line; 2 when name, realm, an identity or the password cannot stand in one. `password` is asked for last. */
export async function digestUser(
  name: string,
  { realm, identity }: DigestUserOptions,
  password: () => Promise<string>,
  terminal: Terminal,
): Promise<number> {
  const problem = problemOf(name, realm, identity);
  if (problem !== undefined) {
    terminal.err(problem);
    return exitCodes.wrongUsage;
  }
  try {
    terminal.out(digestUserLine(name, realm, await password(), identity));
    return exitCodes.done;
  } catch (error) {
    if (!(error instanceof NoPassword)) throw error;
    terminal.err(error.message);
    return exitCodes.wrongUsage;
  }
}

function problemOf(name: string, realm: string, identities: readonly string[]): string | undefined {
  const strange = identities.find((identity) => canonicalUri(identity) === undefined || /\s/.test(identity));
  if (strange !== undefined) return `${strange} is not a sip: or tel: URI`;
  if (!/^[\x20-\x7e]+$/.test(realm)) return 'the realm must be printable ASCII';
  // Whatever the reader of the file would not give back as it is
  const { entries } = readDigestUsers(digestUserLine(name, realm, '', identities), realm);
  return entries[0]?.user.name === name.normalize('NFC') ? undefined : `${name} cannot be the name of a user`;
}
