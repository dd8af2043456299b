// What every reference that runs Debian's Kamailio over MariaDB shares: packages, tables, and how its client library finds the server.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mariadb } from '../xcap/mariadb.ts';
import type { Need } from './programs.ts';

const tables = '/usr/share/kamailio/mysql';
const credentials = { user: 'kamailio', password: 'kamailio' };
const group = 'bench';

/** The program and its tables. */
export const kamailioNeeds = [
  { name: 'kamailio', debianPackage: 'kamailio' },
  { name: 'standard-create.sql', debianPackage: 'kamailio-mysql-modules', pattern: `${tables}/standard-create.sql` },
  { name: 'presence-create.sql', debianPackage: 'kamailio-mysql-modules', pattern: `${tables}/presence-create.sql` },
] as const satisfies readonly Need[];

/** A module of Kamailio and the package it comes in. */
export function kamailioModule<const Name extends string>(name: Name, debianPackage: string) {
  return { name, debianPackage, pattern: `/usr/lib/*/kamailio/modules/${name}` } as const satisfies Need;
}

export interface KamailioPrograms {
  readonly kamailio: string;
  readonly 'standard-create.sql': string;
  readonly 'presence-create.sql': string;
}

/** URL of its database, for `db_url`. */
export const databaseUrl = `mysql://${credentials.user}:${credentials.password}@[${group}]/kamailio`;

/** Makes its database and tables. To be called once for each server. */
export async function createTables(programs: KamailioPrograms, database: Mariadb): Promise<void> {
  const { user, password } = credentials;
  await database.execute(`CREATE DATABASE kamailio;
    CREATE USER ${user}@localhost IDENTIFIED BY '${password}';
    GRANT ALL ON kamailio.* TO ${user}@localhost;`);
  for (const name of ['standard-create.sql', 'presence-create.sql'] as const) {
    await database.execute(await readFile(programs[name], 'utf8'), 'kamailio');
  }
}

/** Tells the client library where the server is; the result is the environment that makes it look into `folder`. */
export async function clientSettings(folder: string, database: Mariadb): Promise<{ readonly MYSQL_HOME: string }> {
  await writeFile(join(folder, 'my.cnf'), `[${group}]\nsocket=${database.socket}\n`);
  return { MYSQL_HOME: folder };
}
