// Opens the store that a configuration names, whichever engine it lives in. The client of PostgreSQL is loaded when it is needed.

import type { PostgresStoreOptions } from './postgres/postgres-store.ts';
import { openSqliteStore } from './sqlite/sqlite-store.ts';
import type { Store } from './store.ts';

/** Where the store is: exactly one of a SQLite file and the URL of a PostgreSQL database. */
export interface StorePlace {
  readonly sqlite?: string | undefined;
  readonly postgres?: string | undefined;
}

/** The key of the configuration that says where the store is. */
export function storeKey({ postgres }: StorePlace): 'sqlite' | 'postgres' {
  return postgres === undefined ? 'sqlite' : 'postgres';
}

/** Opens or creates the store. Rejects with StoreError. */
export async function openStore(
  { sqlite, postgres }: StorePlace,
  options: Pick<PostgresStoreOptions, 'onNote'> = {},
): Promise<Store> {
  if (postgres !== undefined) {
    const { openPostgresStore } = await import('./postgres/postgres-store.ts');
    return openPostgresStore(postgres, options);
  }
  if (sqlite === undefined) throw new TypeError('the configuration names no store');
  return openSqliteStore(sqlite);
}
