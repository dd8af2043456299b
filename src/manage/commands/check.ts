// `mcgw check`: everything that would keep a gateway from starting, and everything worth a warning.
import { type ConfigurationProblem, inOrder, problemLine } from '../../config/load.ts';
import { groupsAuid } from '../../documents/application-usage.ts';
import { LoadedPolicy } from '../../policy/loaded-policy.ts';
import type { Policy } from '../../policy/policy.ts';
import { unmatchedSelections } from '../../policy/unmatched.ts';
import { type StorePlace, storeKey } from '../../store/open-store.ts';
import { storeFileProblem } from '../../store/sqlite/check-file.ts';
import { storedGroups } from '../../store/sqlite/read-groups.ts';
import { exampleGroups } from '../example-groups.ts';
import { prepare } from '../prepare.ts';
import { counted, exitCodes, type Terminal } from './terminal.ts';

export interface CheckOptions {
  /** Also looks into the PostgreSQL database of `storage.postgres`, which is else not connected to. */
  readonly connect?: boolean | undefined;
}

/** Prints every problem of the configuration in `file` and of the files it names; 2 when there is an error. */
export async function check(file: string, terminal: Terminal, { connect = false }: CheckOptions = {}): Promise<number> {
  const { prepared, policies, problems: found, loaded } = await prepare(file, Date.now());
  const { storage } = loaded.sections;
  // Two stores, or none, are told already.
  const named = storage !== undefined && (storage.sqlite === undefined) !== (storage.postgres === undefined);
  const { problem: unusable, groups } = named ? await lookAt(storage, connect) : nothing;
  const ofStore =
    unusable === undefined || storage === undefined ? [] : [loaded.errorAt(['storage', storeKey(storage)], unusable)];
  const ofPolicies = unusable === undefined ? idleSelections(policies.values(), groups) : [];
  const problems = inOrder(file, [...found, ...ofStore, ...ofPolicies]);
  for (const problem of problems) terminal.out(problemLine(problem));
  if (prepared === undefined || unusable !== undefined) return exitCodes.wrongUsage;
  terminal.out(`${file}: no errors, ${problems.length === 0 ? 'no warnings' : counted(problems.length, 'warning')}`);
  return exitCodes.done;
}

interface StoreLook {
  /** Why it cannot be opened. */
  readonly problem?: string | undefined;
  /** Stored group documents. */
  readonly groups: () => readonly Uint8Array[];
}

const nothing: StoreLook = { groups: () => [] };

async function lookAt({ sqlite, postgres }: StorePlace, connect: boolean): Promise<StoreLook> {
  if (sqlite !== undefined) {
    return { problem: storeFileProblem(sqlite), groups: () => storedGroups(sqlite, groupsAuid) };
  }
  if (postgres === undefined || !connect) return nothing;
  const { lookAtDatabase } = await import('../../store/postgres/check-database.ts');
  const { problem, groups } = await lookAtDatabase(postgres, groupsAuid);
  return { problem, groups: () => groups };
}

/** Selections of policies that match none of the stored or example groups. */
function idleSelections(
  policies: Iterable<Policy>,
  stored: () => readonly Uint8Array[],
): readonly ConfigurationProblem[] {
  const loaded = [...policies].filter((policy) => policy instanceof LoadedPolicy);
  if (loaded.length === 0) return [];
  const documents = [...exampleGroups(), ...stored()];
  return loaded
    .flatMap((policy) => unmatchedSelections(policy, documents))
    .map((problem) => ({ ...problem, severity: 'warning' as const }));
}
