// What an operator can put right when a part cannot start: the key of the configuration beside what the system said.
import { StartProblem } from '../manage/running-gateway.ts';

/** For `catch` of a part that `key` configures: throws a StartProblem that names the key and, as the error does, address or file. */
export function failedAt(key: string): (error: unknown) => never {
  return (error) => {
    throw new StartProblem(`${key}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  };
}
