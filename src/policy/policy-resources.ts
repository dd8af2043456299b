// Everything a policy is compiled from, as plain data that can move to another thread: its texts, keys and compiled stylesheets.
import { createHash } from 'node:crypto';
import { posix, relative, sep } from 'node:path';
import type { PolicySource } from './policy.ts';
import type { StylesheetProblem } from './stylesheet-check.ts';

export interface PolicyResources {
  readonly source: PolicySource;
  /** Why files that the policy names cannot be used, by name. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** Keys of pseudonyms by the name of their file, as the policy writes it. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
  readonly stylesheets: ReadonlyMap<string, CompiledStylesheet>;
}

/** A stylesheet as its processor runs it, or what is wrong with it. */
export type CompiledStylesheet = { readonly program: string } | { readonly problems: readonly StylesheetProblem[] };

/** The resources of a policy that is one text alone. */
export function textAlone(file: string, text: string): PolicyResources {
  return {
    source: { file, text, files: {} },
    unreadable: new Map(),
    keys: new Map(),
    stylesheets: new Map(),
  };
}

/** SHA-256 over all texts and keys of a policy, base64url. */
export function digestOf({ source, keys }: PolicyResources): string {
  const hash = createHash('sha256').update(source.text);
  for (const name of Object.keys(source.files).sort()) {
    hash.update(`\0${name}\0`).update(source.files[name] ?? '');
  }
  // Another key makes other pseudonyms: what was derived with the old one is derived again.
  for (const name of [...keys.keys()].sort()) hash.update(`\0${name}\0`).update(keys.get(name) ?? '');
  return hash.digest('base64url');
}

/**
 * The name below the policy's folder that a file of the policy (`from`, '' for the policy file itself) means by `written`; undefined
 * when it leads out of the folder.
 */
export function nameBelow(folder: string, from: string, written: string): string | undefined {
  const inFolder = posix.isAbsolute(written) ? relative(folder, written).split(sep).join('/') : written;
  const name = posix.isAbsolute(written)
    ? posix.normalize(inFolder)
    : posix.normalize(posix.join(posix.dirname(from), inFolder));
  const leaves = name === '..' || name.startsWith('../') || posix.isAbsolute(name) || name.includes('\0');
  return leaves || name === '.' ? undefined : name;
}
