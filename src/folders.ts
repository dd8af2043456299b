// Creates folders level by level, and says beforehand why that cannot be done.
// Not with `recursive` of Node.js: for a folder that the kernel refuses with ENOENT, such as one below /proc, that never returns.
import { accessSync, constants, existsSync, mkdirSync, statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** File systems in which the kernel alone makes entries: proc and sysfs, by `f_type` of statfs(2). */
const kernelFileSystems: ReadonlySet<number> = new Set([0x9fa0, 0x62656572]);

/** Creates `folder` and what is missing above it, with permissions `mode`. Throws an Error with the code of the system call that failed. */
export function makeFolders(folder: string, mode = 0o777): void {
  const { base, missing } = levels(folder);
  checkBase(base, missing.length > 0);
  for (const level of missing) {
    try {
      mkdirSync(level, { mode });
    } catch (error) {
      // Somebody else may have been faster.
      if (!(existsSync(level) && statSync(level).isDirectory())) throw error;
    }
  }
}

/** Why no file can be created in `folder`, which need not exist; undefined when it can. Changes nothing. */
export function folderProblem(folder: string): string | undefined {
  try {
    checkBase(levels(folder).base, true);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function levels(folder: string): { readonly base: string; readonly missing: readonly string[] } {
  const missing: string[] = [];
  let base = resolve(folder);
  while (!existsSync(base) && dirname(base) !== base) {
    missing.unshift(base);
    base = dirname(base);
  }
  return { base, missing };
}

function checkBase(base: string, toBeWritten: boolean): void {
  if (!statSync(base).isDirectory()) throw problem('ENOTDIR', `not a directory: '${base}'`);
  if (!toBeWritten) return;
  accessSync(base, constants.W_OK | constants.X_OK);
  if (kernelFileSystems.has(statfsSync(base).type)) throw problem('ENOENT', `nothing can be created in '${base}'`);
}

function problem(code: string, text: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${text}`), { code });
}
