// Runs programs for the scripts, in the project's folder and with its output as it comes.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Folder of the project. */
export const projectFolder = fileURLToPath(new URL('..', import.meta.url));

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Drops the output. */
  readonly silent?: boolean;
}

/** Runs a program to its end without standard input; resolves to its exit code, 1 when a signal ended it, 127 when there is none. */
export function run(
  program: string,
  args: readonly string[],
  { env = {}, silent = false }: RunOptions = {},
): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: projectFolder,
      env: { ...process.env, ...env },
      stdio: ['ignore', silent ? 'ignore' : 'inherit', silent ? 'ignore' : 'inherit'],
    });
    child.once('error', () => resolve(127));
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** Prints one line. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
