// The group documents that are shipped with the program: what policies are tried on before anything is stored.
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('../../config/groups/', import.meta.url);

/** The example groups; none where the folder is missing. */
export function exampleGroups(): readonly Uint8Array[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.xml'))
      .map((name) => readFileSync(new URL(name, folder)));
  } catch {
    return [];
  }
}
