// `mcgw check`: everything that would keep a gateway from starting, and everything worth a warning.
import { type ConfigurationProblem, inOrder, type LoadedConfiguration, problemLine } from '../../config/load.ts';
import { groupsAuid } from '../../documents/application-usage.ts';
import { LoadedPolicy } from '../../policy/loaded-policy.ts';
import type { Policy } from '../../policy/policy.ts';
import { unmatchedSelections } from '../../policy/unmatched.ts';
import { storeFileProblem } from '../../store/sqlite/check-file.ts';
import { storedGroups } from '../../store/sqlite/read-groups.ts';
import { exampleGroups } from '../example-groups.ts';
import { prepare } from '../prepare.ts';
import { exitCodes, type Terminal } from './terminal.ts';

/** Prints every problem of the configuration in `file` and of the files it names; 2 when there is an error. */
export async function check(file: string, terminal: Terminal): Promise<number> {
  const { prepared, policies, problems: found, loaded } = await prepare(file, Date.now());
  const { storage } = loaded.sections;
  const unusable = storage === undefined ? undefined : storeFileProblem(storage.sqlite);
  const ofStore = unusable === undefined ? [] : [loaded.errorAt(['storage', 'sqlite'], unusable)];
  const ofPolicies = unusable === undefined ? idleSelections(policies.values(), loaded) : [];
  const problems = inOrder(file, [...found, ...ofStore, ...ofPolicies]);
  for (const problem of problems) terminal.out(problemLine(problem));
  if (prepared === undefined || unusable !== undefined) return exitCodes.wrongUsage;
  const warnings =
    problems.length === 0 ? 'no warnings' : problems.length === 1 ? '1 warning' : `${problems.length} warnings`;
  terminal.out(`${file}: no errors, ${warnings}`);
  return exitCodes.done;
}

/** Selections of policies that match none of the stored or example groups. */
function idleSelections(
  policies: Iterable<Policy>,
  { sections }: LoadedConfiguration,
): readonly ConfigurationProblem[] {
  const loaded = [...policies].filter((policy) => policy instanceof LoadedPolicy);
  if (loaded.length === 0) return [];
  const stored = sections.storage === undefined ? [] : storedGroups(sections.storage.sqlite, groupsAuid);
  const documents = [...exampleGroups(), ...stored];
  return loaded
    .flatMap((policy) => unmatchedSelections(policy, documents))
    .map((problem) => ({ ...problem, severity: 'warning' as const }));
}
