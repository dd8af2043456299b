// Programs of the operating system that measurements need, and the Debian packages they come in.
import { accessSync, constants, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** One thing a measurement needs: a program by name, or a file by a pattern of its path. */
export interface Need {
  readonly name: string;
  readonly debianPackage: string;
  readonly pattern?: string;
}

/** Absolute path of what is needed; undefined when this machine lacks it. */
export function find({ name, pattern }: Need): string | undefined {
  if (pattern !== undefined) return globSync(pattern)[0];
  // sbin is not in everybody's path
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/** Absolute paths by name. Throws one error that lists everything missing with its Debian package. */
export function findAll<Name extends string>(
  needs: readonly (Need & { readonly name: Name })[],
): Readonly<Record<Name, string>> {
  const paths: Partial<Record<Name, string>> = {};
  const missing: string[] = [];
  for (const need of needs) {
    const path = find(need);
    if (path === undefined) missing.push(`${need.name}: install the Debian package ${need.debianPackage}`);
    else paths[need.name] = path;
  }
  if (missing.length > 0) throw new Error(`missing ${missing.join('\nmissing ')}`);
  return paths as Record<Name, string>;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
