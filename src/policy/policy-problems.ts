// What can be wrong with policy files as exceptions: every problem at once, each with its file and line.
import type { FileProblem } from '../config/file-problem.ts';

/** A policy file that cannot be used, with everything that is wrong with it. */
export class PolicyFileError extends Error {
  readonly problems: readonly FileProblem[];

  constructor(problems: readonly FileProblem[]) {
    super(problems.map(({ file, line, key, text }) => `${file}:${line}: ${key}: ${text}`).join('\n'));
    this.name = 'PolicyFileError';
    this.problems = problems;
  }
}

/** A policy file that cannot be read; `reason` says why, without its name. */
export class PolicyUnreadable extends PolicyFileError {
  readonly reason: string;

  constructor(file: string, reason: string) {
    super([{ file, line: 1, key: '(file)', text: reason }]);
    this.reason = reason;
  }
}
