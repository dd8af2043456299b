// Policy files: YAML in, Policy out, or every problem at once with its file and line.
import { createHash } from 'node:crypto';
import { LoadedPolicy } from './loaded-policy.ts';
import type { Policy, PolicySource } from './policy.ts';
import { type PolicyResources, textAlone } from './policy-resources.ts';
import { type PolicyWorkers, sharedPolicyWorkers } from './policy-workers.ts';
import { readPolicy, resourcesOf } from './read-policy.ts';

export { PolicyFileError, PolicyUnreadable } from './policy-problems.ts';

/**
 * Reads a policy file and every file that it names. Rejects with PolicyFileError; PolicyUnreadable when the file itself cannot be read.
 */
export async function loadPolicy(
  file: string,
  workers: () => PolicyWorkers = sharedPolicyWorkers,
): Promise<LoadedPolicy> {
  return loaded(await readPolicy(file, (text) => workers().compile(text)), workers);
}

/** The policy that texts kept elsewhere make; its keys are read from the folder of `source.file`. Rejects with PolicyFileError. */
export async function policyFromSource(
  source: PolicySource,
  workers: () => PolicyWorkers = sharedPolicyWorkers,
): Promise<LoadedPolicy> {
  return loaded(await resourcesOf(source, (text) => workers().compile(text)), workers);
}

/** Compiles the text of a policy that names no other file; `file` only names it in problems. Throws PolicyFileError. */
export function parsePolicy(text: string, file: string): LoadedPolicy {
  return loaded(textAlone(file, text), sharedPolicyWorkers);
}

const empty = parsePolicy('policy: none\nversion: 0\nrules: []\n', 'none');

/** The policy of a partner for whom no file is configured: only the agreement restricts. */
export const passThroughPolicy: Policy = {
  name: empty.name,
  version: empty.version,
  digest: undefined,
  apply: (document, context, check) => empty.apply(document, context, check),
  close: () => undefined,
};

function loaded(resources: PolicyResources, workers: () => PolicyWorkers): LoadedPolicy {
  return new LoadedPolicy(resources, digestOf(resources), workers);
}

function digestOf({ source, keys }: PolicyResources): string {
  const hash = createHash('sha256').update(source.text);
  for (const name of Object.keys(source.files).sort()) {
    hash.update(`\0${name}\0`).update(source.files[name] ?? '');
  }
  // Another key makes other pseudonyms: what was derived with the old one is derived again.
  for (const name of [...keys.keys()].sort()) hash.update(`\0${name}\0`).update(keys.get(name) ?? '');
  return hash.digest('base64url');
}
