// `mcgw policy check`: everything that is wrong with policy files, and what in them does nothing.
import { readFile } from 'node:fs/promises';
import type { FileProblem } from '../../config/file-problem.ts';
import { loadPolicy, PolicyFileError } from '../../policy/policy-file.ts';
import { unmatchedSelections } from '../../policy/unmatched.ts';
import { exampleGroups } from '../example-groups.ts';
import { counted, exitCodes, type Terminal, unreadable } from './terminal.ts';

export interface PolicyCheckOptions {
  /** Group documents that selections are tried on, beside the shipped examples. */
  readonly group?: readonly string[];
}

/** Prints every problem of the policies in `files`, and a warning for each selection that matches no group; 2 when there is an error. */
export async function policyCheck(
  files: readonly string[],
  { group = [] }: PolicyCheckOptions,
  terminal: Terminal,
): Promise<number> {
  const documents: Uint8Array[] = [...exampleGroups()];
  for (const file of group) {
    try {
      documents.push(await readFile(file));
    } catch (error) {
      terminal.err(unreadable(file, error));
      return exitCodes.wrongUsage;
    }
  }
  let code: number = exitCodes.done;
  for (const file of files) {
    try {
      const policy = await loadPolicy(file);
      const warnings = unmatchedSelections(policy, documents);
      for (const warning of warnings) terminal.out(line(warning, 'warning: '));
      terminal.out(
        `${file}: policy ${policy.name} version ${policy.version}: no errors, ${warnings.length === 0 ? 'no warnings' : counted(warnings.length, 'warning')}`,
      );
      policy.close();
    } catch (error) {
      if (!(error instanceof PolicyFileError)) throw error;
      for (const problem of error.problems) terminal.out(line(problem, ''));
      code = exitCodes.wrongUsage;
    }
  }
  return code;
}

function line({ file, line, key, text }: FileProblem, severity: string): string {
  return `${file}:${line}: ${key}: ${severity}${text}`;
}
