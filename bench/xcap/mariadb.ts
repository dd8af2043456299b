// The database of the Kamailio reference: MariaDB of Debian on a socket of its own, with its durable defaults.
import { mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Need } from '../support/programs.ts';
import type { Site } from '../support/site.ts';

export const mariadbNeeds = [
  { name: 'mariadbd', debianPackage: 'mariadb-server' },
  { name: 'mariadb-install-db', debianPackage: 'mariadb-server' },
  { name: 'mariadb', debianPackage: 'mariadb-server' },
] as const satisfies readonly Need[];

export interface MariadbPrograms {
  readonly mariadbd: string;
  readonly 'mariadb-install-db': string;
  readonly mariadb: string;
}

export interface Mariadb {
  readonly pid: number;
  readonly socket: string;
  /** Runs statements as its administrator. */
  execute(statements: string, database?: string): Promise<void>;
}

/** Largest statement it takes, bytes. */
export const largestStatement = 16 * 1024 * 1024;

export async function startMariadb(site: Site, programs: MariadbPrograms): Promise<Mariadb> {
  const home = join(site.folder, 'mariadb');
  const data = join(home, 'data');
  const socket = join(home, 'socket');
  await mkdir(data, { recursive: true });
  const { username } = userInfo();
  await site.run({
    program: programs['mariadb-install-db'],
    args: [
      '--no-defaults',
      `--datadir=${data}`,
      `--user=${username}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ],
  });
  const running = site.start({
    program: programs.mariadbd,
    args: [
      '--no-defaults',
      `--datadir=${data}`,
      `--user=${username}`,
      `--socket=${socket}`,
      `--pid-file=${join(home, 'pid')}`,
      `--tmpdir=${home}`,
      '--skip-networking',
      // the default, said aloud: every commit is on disk before it is answered, as with us
      '--innodb-flush-log-at-trx-commit=1',
      '--innodb-buffer-pool-size=256M',
      `--max-allowed-packet=${largestStatement}`,
    ],
  });
  await running.line(/ready for connections/);
  return {
    pid: running.pid,
    socket,
    async execute(statements, database = '') {
      await site.run({
        program: programs.mariadb,
        args: [
          '--no-defaults',
          `--socket=${socket}`,
          '--user=root',
          `--max-allowed-packet=${largestStatement}`,
          database,
        ],
        input: statements,
      });
    },
  };
}
