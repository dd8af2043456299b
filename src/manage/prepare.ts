// Everything a gateway needs from files before it starts: the configuration, and the policies and schemas it names.
// `serve`, SIGHUP and `check` all see the same problems.
import { type ConfigurationProblem, type LoadedConfiguration, loadConfiguration } from '../config/load.ts';
import type { Configuration } from '../config/schema.ts';
import type { Policy } from '../policy/policy.ts';
import { loadPolicy, PolicyFileError } from '../policy/policy-file.ts';
import { schemaFileProblem } from '../xml/schema.ts';

export interface Prepared {
  readonly configuration: Configuration;
  /** Policies by absolute file name. */
  readonly policies: ReadonlyMap<string, Policy>;
}

export interface Preparation {
  /** Undefined when there is an error. */
  readonly prepared: Prepared | undefined;
  readonly problems: readonly ConfigurationProblem[];
}

/** Loads and checks everything that the configuration in `file` names, as of `now` (milliseconds since 1970). */
export async function prepare(file: string, now: number): Promise<Preparation> {
  const loaded = loadConfiguration(file, now);
  const policies = new Map<string, Policy>();
  const found: ConfigurationProblem[] = [];
  for (const policyFile of new Set(policyFiles(loaded))) {
    try {
      policies.set(policyFile, await loadPolicy(policyFile));
    } catch (error) {
      if (!(error instanceof PolicyFileError)) throw error;
      found.push(...error.problems.map((problem) => ({ ...problem, severity: 'error' as const })));
    }
  }
  for (const { schema } of loaded.sections.applicationUsages ?? []) {
    const problem = schema === undefined ? undefined : await schemaFileProblem(schema);
    if (schema === undefined || problem === undefined) continue;
    found.push({ file: schema, line: problem.line, key: 'applicationUsages', text: problem.text, severity: 'error' });
  }
  const { configuration } = loaded;
  return {
    prepared: configuration === undefined || found.length > 0 ? undefined : { configuration, policies },
    problems: [...loaded.problems, ...found],
  };
}

function policyFiles({ sections }: LoadedConfiguration): readonly string[] {
  return sections.partners.flatMap((partner) =>
    [partner?.inboundPolicy, partner?.outboundPolicy].filter((file) => file !== undefined),
  );
}
