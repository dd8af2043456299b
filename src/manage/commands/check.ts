// `mcgw check`: everything that would keep a gateway from starting, and everything worth a warning.
import { inOrder, problemLine } from '../../config/load.ts';
import { storeFileProblem } from '../../store/sqlite/check-file.ts';
import { prepare } from '../prepare.ts';
import { exitCodes, type Terminal } from './terminal.ts';

/** Prints every problem of the configuration in `file` and of the files it names; 2 when there is an error. */
export async function check(file: string, terminal: Terminal): Promise<number> {
  const { prepared, problems: found, loaded } = await prepare(file, Date.now());
  const { storage } = loaded.sections;
  const unusable = storage === undefined ? undefined : storeFileProblem(storage.sqlite);
  const ofStore = unusable === undefined ? [] : [loaded.errorAt(['storage', 'sqlite'], unusable)];
  const problems = inOrder(file, [...found, ...ofStore]);
  for (const problem of problems) terminal.out(problemLine(problem));
  if (prepared === undefined || unusable !== undefined) return exitCodes.wrongUsage;
  const warnings =
    problems.length === 0 ? 'no warnings' : problems.length === 1 ? '1 warning' : `${problems.length} warnings`;
  terminal.out(`${file}: no errors, ${warnings}`);
  return exitCodes.done;
}
