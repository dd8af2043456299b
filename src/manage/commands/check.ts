// `mcgw check`: everything that would keep a gateway from starting, and everything worth a warning.
import { problemLine } from '../../config/load.ts';
import { prepare } from '../prepare.ts';
import { exitCodes, type Terminal } from './terminal.ts';

/** Prints every problem of the configuration in `file` and of the files it names; 2 when there is an error. */
export async function check(file: string, terminal: Terminal): Promise<number> {
  const { prepared, problems } = await prepare(file, Date.now());
  for (const problem of problems) terminal.out(problemLine(problem));
  if (prepared === undefined) return exitCodes.wrongUsage;
  const warnings =
    problems.length === 0 ? 'no warnings' : problems.length === 1 ? '1 warning' : `${problems.length} warnings`;
  terminal.out(`${file}: no errors, ${warnings}`);
  return exitCodes.done;
}
