// `mcgw policy reveal`: who is behind a pseudonym, for whoever has the key.
import { readFile } from 'node:fs/promises';
import { pseudonymSeal, shortestKey } from '../../policy/pseudonym-seal.ts';
import { exitCodes, type Terminal, unreadable } from './terminal.ts';

export interface PolicyRevealOptions {
  /** File of the key that made the pseudonyms. */
  readonly key: string;
}

/** Prints each pseudonym with the identity behind it; 1 when the key did not make one of them. */
export async function policyReveal(
  pseudonyms: readonly string[],
  { key: file }: PolicyRevealOptions,
  terminal: Terminal,
): Promise<number> {
  let key: Buffer;
  try {
    key = Buffer.from((await readFile(file, 'utf8')).trim());
  } catch (error) {
    terminal.err(unreadable(file, error));
    return exitCodes.wrongUsage;
  }
  if (key.length < shortestKey) {
    terminal.err(`${file}: is too short for a key`);
    return exitCodes.wrongUsage;
  }
  // Where a pseudonym lives plays no part in what it hides.
  const seal = pseudonymSeal(key, 'pseudonym.invalid');
  let code: number = exitCodes.done;
  for (const pseudonym of pseudonyms) {
    const identity = seal.reveal(pseudonym);
    if (identity === undefined) {
      terminal.err(`${pseudonym}: this key did not make it`);
      code = exitCodes.failed;
    } else terminal.out(`${pseudonym} ${identity}`);
  }
  return code;
}
