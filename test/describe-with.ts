// `describeWith('sipp', 'suite', …)`: a suite that needs a program of the operating system.
import { describe, test } from '@jest/globals';
import { findTool, recordLack, type Tool, tools } from './tools.ts';

/** Declares the suite with the program's path; without it the suite is skipped and named, or fails under CI=true. */
export function describeWith(tool: Tool, suite: string, declare: (path: string) => void): void {
  const path = findTool(tool);
  if (path !== undefined) {
    describe(suite, () => declare(path));
    return;
  }
  if (process.env.CI === 'true') {
    test(suite, () => {
      throw new Error(`needs ${tool}, Debian package ${tools[tool]}`);
    });
    return;
  }
  recordLack({ suite, tool });
  // biome-ignore lint/suspicious/noSkippedTests: the program is missing, and the run says so at its end
  describe.skip(suite, () => declare(tool));
}
