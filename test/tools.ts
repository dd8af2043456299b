// Programs of the operating system that some tests need, the Debian packages they come in, and what happens when one is missing:
// its suites are skipped by name, and under CI=true they fail.
import { accessSync, appendFileSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Each program and the Debian package it comes in. */
export const tools = { sipp: 'sip-tester', kamailio: 'kamailio' } as const;

export type Tool = keyof typeof tools;

/** One suite that did not run. */
export interface Lack {
  readonly suite: string;
  readonly tool: Tool;
}

/** Environment variable with the file that takes one JSON line per suite that did not run. */
export const lacksVariable = 'MCGW_TEST_LACKS';

/** Absolute path of a program in the search path or an sbin folder; undefined when this machine lacks it. */
export function findTool(tool: Tool, searchPath: string = process.env.PATH ?? ''): string | undefined {
  // sbin is not in everybody's path
  const folders = [...searchPath.split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, tool))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Notes that a suite did not run because the program is missing. */
export function recordLack(lack: Lack): void {
  const file = process.env[lacksVariable];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(lack)}\n`);
}
