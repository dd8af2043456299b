// Policy files: YAML in, Policy out, or every problem at once with its file and line.
import { compileInTurns, compilePolicy } from './compile-policy.ts';
import { LoadedPolicy } from './loaded-policy.ts';
import type { Policy, PolicySource } from './policy.ts';
import { digestOf, type PolicyResources, textAlone } from './policy-resources.ts';
import { type PolicyParser, parsePolicyText, parsingOnce } from './policy-text.ts';
import { type PolicyWorkers, sharedPolicyWorkers } from './policy-workers.ts';
import { checkSizes, readPolicy } from './read-policy.ts';

export { PolicyFileError, PolicyUnreadable } from './policy-problems.ts';

/**
 * Reads a policy file and every file that it names. Rejects with PolicyFileError; PolicyUnreadable when the file itself cannot be read.
 */
export async function loadPolicy(
  file: string,
  workers: () => PolicyWorkers = sharedPolicyWorkers,
): Promise<LoadedPolicy> {
  const parse = parsingOnce();
  const resources = await readPolicy(file, { compile: (text) => workers().compile(text), parse });
  return loaded(resources, parse, workers);
}

/**
 * The policy that texts kept or sent make; its keys are read from the folder of `source.file`. The texts are read in a worker thread,
 * whatever they are. Rejects with PolicyFileError.
 */
export async function policyFromSource(
  source: PolicySource,
  workers: () => PolicyWorkers = sharedPolicyWorkers,
): Promise<LoadedPolicy> {
  checkSizes(source);
  const { digest, name, version, rules, ...found } = await workers().read(source);
  const resources = { source, ...found };
  const compiled = rules === undefined ? undefined : await compileInTurns(resources, rules);
  return new LoadedPolicy({ resources, digest, name, version, rules, compiled }, workers);
}

/** Compiles the text of a policy that names no other file; `file` only names it in problems. Throws PolicyFileError. */
export function parsePolicy(text: string, file: string): LoadedPolicy {
  return loaded(textAlone(file, text), parsePolicyText, sharedPolicyWorkers);
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

function loaded(resources: PolicyResources, parse: PolicyParser, workers: () => PolicyWorkers): LoadedPolicy {
  const { read: rules, ...compiled } = compilePolicy(resources, parse);
  const { name, version } = compiled;
  return new LoadedPolicy({ resources, digest: digestOf(resources), name, version, rules, compiled }, workers);
}
