// What is particular to the PostgreSQL store beyond the contract: the server, its roles, its failures.

import { afterAll, beforeAll } from '@jest/globals';
import { describeWith } from '../../../test/describe-with.ts';
import { PostgresServer } from '../../../test/postgres-server.ts';
import { describeStore } from '../store.testkit.ts';
import { openPostgresStore } from './postgres-store.ts';

describeWith('postgres', 'the PostgreSQL store', (program) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start(program);
  }, 60_000);
  afterAll(() => server.close());

  const databases = new Map<string, string>();
  describeStore('PostgreSQL', async (directory, options) => {
    const database = databases.get(directory) ?? (await server.database());
    databases.set(directory, database);
    return openPostgresStore(server.url(database), options);
  });
});
