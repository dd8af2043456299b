// `mcgw check`: everything that would keep a gateway from starting, and everything worth a warning.
import { problemLine } from './config/load.ts';
import { exitCodes, type Terminal } from './manage/commands/terminal.ts';
import { prepare } from './prepare.ts';

/** Prints every problem of the configuration in `file` and the files it names; 2 when there is an error. */
export async function check(file: string, terminal: Terminal): Promise<number> {
  const { prepared, problems } = await prepare(file, Date.now());
  for (const problem of problems) terminal.out(problemLine(problem));
  if (prepared === undefined) return exitCodes.wrongUsage;
  terminal.out(`${file}: no errors${problems.length > 0 ? `, ${problems.length} warnings` : ''}`);
  return exitCodes.done;
}
