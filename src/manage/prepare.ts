// Everything a gateway needs from files before it starts: the configuration, and the policies and schemas it names.
// `serve`, SIGHUP and `check` all see the same problems.
import type { ConfiguredFiles } from '../config/configured-files.ts';
import { type ConfigurationProblem, inOrder, type LoadedConfiguration, loadConfiguration } from '../config/load.ts';
import { revocationChecks } from '../config/revocation-checks.ts';
import type { Configuration, PartnerConfiguration } from '../config/schema.ts';
import type { Policy, PolicyContext } from '../policy/policy.ts';
import { loadPolicy, PolicyFileError, PolicyUnreadable } from '../policy/policy-file.ts';
import { schemaFileProblem } from '../xml/schema.ts';

export interface Prepared {
  readonly configuration: Configuration;
  /** Policies by absolute file name. */
  readonly policies: ReadonlyMap<string, Policy>;
  /** Certificates, keys, revocation lists and users as they were when they were checked. */
  readonly files: ConfiguredFiles;
}

export interface Preparation {
  /** Undefined when there is an error. */
  readonly prepared: Prepared | undefined;
  /** The policies that could be loaded, by absolute file name, whatever else is wrong. */
  readonly policies: ReadonlyMap<string, Policy>;
  readonly problems: readonly ConfigurationProblem[];
  readonly loaded: LoadedConfiguration;
}

/** Loads and checks everything that the configuration in `file` names, as of `now` (milliseconds since 1970). */
export async function prepare(file: string, now: number): Promise<Preparation> {
  const loaded = loadConfiguration(file, now);
  const policies = new Map<string, Policy>();
  const found: ConfigurationProblem[] = [];
  for (const [policyFile, keys] of policyFiles(loaded)) {
    try {
      policies.set(policyFile, await loadPolicy(policyFile));
    } catch (error) {
      if (!(error instanceof PolicyFileError)) throw error;
      // Who mistypes a name looks for the key, not into a file that is not there.
      if (error instanceof PolicyUnreadable) {
        found.push(...keys.map((key) => loaded.errorAt(key, `${policyFile} ${error.reason}`)));
      } else found.push(...error.problems.map((problem) => ({ ...problem, severity: 'error' as const })));
    }
  }
  for (const { schema } of loaded.sections.applicationUsages ?? []) {
    const problem = schema === undefined ? undefined : await schemaFileProblem(schema);
    if (schema === undefined || problem === undefined) continue;
    found.push({ file: schema, line: problem.line, key: 'applicationUsages', text: problem.text, severity: 'error' });
  }
  for (const { path, text, severity } of await revocationChecks(loaded.sections, now, loaded.files)) {
    found.push({ ...loaded.errorAt(path, text), severity });
  }
  const { configuration } = loaded;
  const sound = configuration !== undefined && !found.some(({ severity }) => severity === 'error');
  // Nobody will run them; whoever still asks what they select has them compiled again.
  if (!sound) for (const policy of policies.values()) policy.close();
  return {
    prepared: sound ? { configuration, policies, files: loaded.files } : undefined,
    policies,
    problems: inOrder(file, [...loaded.problems, ...found]),
    loaded,
  };
}

/**
 * Digest of the policy file of a partner as it is now; empty where none is configured, undefined when the file cannot be used.
 */
export async function policyDigestOnDisk(
  { inboundPolicy, outboundPolicy }: PartnerConfiguration,
  direction: PolicyContext['direction'],
): Promise<string | undefined> {
  const file = direction === 'inbound' ? inboundPolicy : outboundPolicy;
  if (file === undefined) return '';
  try {
    const policy = await loadPolicy(file);
    policy.close();
    return policy.digest;
  } catch (error) {
    if (!(error instanceof PolicyFileError || error instanceof PolicyUnreadable)) throw error;
    return undefined;
  }
}

/** The keys that name each policy file. */
function policyFiles({ sections }: LoadedConfiguration): ReadonlyMap<string, readonly (readonly PropertyKey[])[]> {
  const files = new Map<string, (readonly PropertyKey[])[]>();
  for (const [index, partner] of sections.partners.entries()) {
    for (const key of ['inboundPolicy', 'outboundPolicy'] as const) {
      const file = partner?.[key];
      if (file !== undefined) files.set(file, [...(files.get(file) ?? []), ['partners', index, key]]);
    }
  }
  return files;
}
