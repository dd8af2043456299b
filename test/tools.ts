// Programs of the operating system that some tests need, the Debian packages they come in, and what happens when one is missing:
// its suites are skipped by name, and under CI=true they fail. Modules of Kamailio that have packages of their own count as programs.
import { accessSync, appendFileSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Each program and the Debian package it comes in. */
export const tools = {
  sipp: 'sip-tester',
  sipsak: 'sipsak',
  kamailio: 'kamailio',
  'kamailio/modules/tls.so': 'kamailio-tls-modules',
  'kamailio/modules/websocket.so': 'kamailio-websocket-modules',
  postgres: 'postgresql',
} as const;

export type Tool = keyof typeof tools;

/** One suite that did not run. */
export interface Lack {
  readonly suite: string;
  readonly tool: Tool;
}

/** Environment variable with the file that takes one JSON line per suite that did not run. */
export const lacksVariable = 'MCGW_TEST_LACKS';

/** Absolute path of a program in the search path or an sbin folder, or of a module; undefined when this machine lacks it. */
export function findTool(tool: Tool, searchPath: string = process.env.PATH ?? ''): string | undefined {
  // sbin is not in everybody's path, and the servers of PostgreSQL are in nobody's
  const programs = [...searchPath.split(delimiter), '/usr/sbin', '/usr/local/sbin', ...postgresFolders()];
  const folders = tool.endsWith('.so') ? libraries() : programs;
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, tool))
    .find((path) => {
      try {
        accessSync(path, tool.endsWith('.so') ? constants.R_OK : constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Folders of libraries, those of the machine's architecture (`/usr/lib/x86_64-linux-gnu`) among them. */
function libraries(): readonly string[] {
  const folders = readdirSync('/usr/lib', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return ['/usr/lib', '/usr/lib64', ...folders.map(({ name }) => join('/usr/lib', name))];
}

/** Where Debian keeps the programs of each major version of PostgreSQL, the newest first. */
function postgresFolders(): readonly string[] {
  const home = '/usr/lib/postgresql';
  if (!existsSync(home)) return [];
  const versions = readdirSync(home).toSorted((one, other) => Number(other) - Number(one));
  return versions.map((version) => join(home, version, 'bin'));
}

/** Notes that a suite did not run because the program is missing. */
export function recordLack(lack: Lack): void {
  const file = process.env[lacksVariable];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(lack)}\n`);
}
