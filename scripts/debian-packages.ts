// Installs Debian packages without asking and without starting what they bring.
// Works as root or through sudo that asks for no password; otherwise it does nothing but say so.
import { existsSync } from 'node:fs';
import { run } from './run.ts';

const startPolicy = '/usr/sbin/policy-rc.d';

/** Installs the packages; resolves to undefined when done, or to the reason why not. */
export async function installPackages(packages: readonly string[]): Promise<string | undefined> {
  if ((await run('apt-get', ['--version'], { silent: true })) !== 0) return 'there is no apt-get here';
  const asRoot = process.getuid?.() === 0;
  if (!asRoot && (await run('sudo', ['-n', 'true'], { silent: true })) !== 0)
    return 'neither root nor sudo without password';
  const root = (program: string, ...args: readonly string[]): Promise<number> =>
    asRoot ? run(program, args) : run('sudo', ['-n', program, ...args]);
  const apt = (...args: readonly string[]): Promise<number> =>
    root('env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300', ...args);

  if ((await apt('update')) !== 0) return 'apt-get update failed';
  // No daemon may start on a machine that only wanted to run tests; a policy that is there is the machine's own.
  const ours = !existsSync(startPolicy);
  const remove = async (): Promise<unknown> => (ours ? root('rm', '-f', startPolicy) : undefined);
  const interrupted = (signal: NodeJS.Signals): void => {
    remove().finally(() => process.kill(process.pid, signal));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  if (ours) {
    for (const signal of signals) process.once(signal, interrupted);
    const written = await root(
      'sh',
      '-c',
      `set -C; printf '#!/bin/sh\\nexit 101\\n' > ${startPolicy} && chmod 755 ${startPolicy}`,
    );
    if (written !== 0) return `cannot write ${startPolicy}`;
  }
  try {
    const code = await apt('install', '-y', '--no-install-recommends', ...packages);
    return code === 0 ? undefined : `apt-get install ${packages.join(' ')} failed`;
  } finally {
    await remove();
    for (const signal of signals) process.off(signal, interrupted);
  }
}
