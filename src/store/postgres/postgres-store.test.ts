// What is particular to the PostgreSQL store beyond the contract: whom the server lets in, what stands in the database, what is left of an erased person.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describeWith } from '../../../test/describe-with.ts';
import { PostgresServer, superuser } from '../../../test/postgres-server.ts';
import { createCertificates } from '../../demo/systems.ts';
import { parsePostgresUrl } from '../../postgres-url.ts';
import {
  describeTampering,
  filled,
  numberedEntry,
  type TamperedEngine,
  verdictOf,
} from '../journal-tampering.testkit.ts';
import { describeStore, put, userKey } from '../store.testkit.ts';
import { migrate, migrations } from './migrations.ts';
import { openPostgresStore, type StoreNote } from './postgres-store.ts';
import { Session } from './session.ts';

describeWith('postgres', 'the PostgreSQL store', (program) => {
  let server: PostgresServer;
  let folder: string;
  /** A database with an empty store, of which copies are made. */
  let empty: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mcgw-pg-tls-'));
    await createCertificates(folder);
    const pem = (name: string): string => readFileSync(join(folder, 'certificates', name), 'utf8');
    const files = { 'server.crt': pem('red.crt'), 'server.key': pem('red.key') };
    server = await PostgresServer.start(program, { files, settings: ['ssl=on'] });
    await server.run('postgres', "CREATE ROLE gateway LOGIN PASSWORD 'known'");
    await server.run('postgres', "CREATE ROLE reader LOGIN PASSWORD 'known'");
    empty = await server.database();
    await (await openPostgresStore(server.url(empty))).close();
  }, 60_000);

  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const databases = new Map<string, string>();
  describeStore('PostgreSQL', async (directory, options) => {
    const database = databases.get(directory) ?? (await server.database(`TEMPLATE ${empty}`));
    databases.set(directory, database);
    return openPostgresStore(server.url(database), options);
  });

  const engine = async (): Promise<TamperedEngine & { readonly database: string }> => {
    const database = await server.database(`TEMPLATE ${empty}`);
    return {
      database,
      open: () => openPostgresStore(server.url(database)),
      tamper: async (sql) => void (await server.run(database, sql)),
    };
  };
  describeTampering('PostgreSQL', engine);

  /** What opening says. The password must not be in it, nor in what it was caused by. */
  const refusal = async (url: string): Promise<unknown> => {
    try {
      await (await openPostgresStore(url)).close();
      return 'opened';
    } catch (error) {
      const { reason, message, cause } = error as Error & { readonly reason: string };
      const told = `${message} ${JSON.stringify(cause)} ${(cause as Error | undefined)?.message} ${(error as Error).stack}`;
      expect(told).not.toMatch(/p@ss|secret|known|p%40ss/);
      return { reason, message };
    }
  };

  describe('opening is refused with what an operator needs to know', () => {
    test('a wrong password, and a role that is not there', async () => {
      const database = await server.database();
      const shown = `postgres://gateway@[${server.folder}]:${server.port}/${database}`;
      expect(await refusal(server.url(database, { user: 'gateway', password: 'secret' }))).toEqual({
        reason: 'refused',
        message: `${shown}: the server refuses role gateway: wrong password, or no such role`,
      });
      expect(await refusal(server.url(database, { user: 'nobody', password: 'secret' }))).toMatchObject({
        reason: 'refused',
      });
      const address = encodeURIComponent(server.folder);
      expect(await refusal(`postgres://gateway@${address}:${server.port}/${database}`)).toEqual({
        reason: 'refused',
        message: `${shown}: the server asks for the password of role gateway, and none is given (in the URL or PGPASSWORD)`,
      });
    });

    test('a database that is not there', async () => {
      expect(await refusal(server.url('absent'))).toEqual({
        reason: 'refused',
        message: expect.stringMatching(
          /\/absent: the database absent does not exist; create it with: createdb -E UTF8 -O admin absent$/,
        ),
      });
    });

    test('a server that is not there, and one that is no PostgreSQL', async () => {
      const other = createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'));
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
      const address = other.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const url = `postgres://gateway:secret@127.0.0.1:${port}/store`;
      expect(await refusal(url)).toMatchObject({ reason: 'unreachable' });
      await new Promise((resolve) => other.close(resolve));
      expect(await refusal(url)).toEqual({
        reason: 'unreachable',
        message: `postgres://gateway@127.0.0.1:${port}/store: the server cannot be reached: connect ECONNREFUSED 127.0.0.1:${port}`,
      });
      expect(await refusal(`postgres://gateway:secret@%2Fnowhere/store`)).toMatchObject({ reason: 'unreachable' });
    });

    test('a database of another program, which is left as it is', async () => {
      const database = await server.database();
      await server.run(database, 'CREATE TABLE bookmarks (url text)');
      expect(await refusal(server.url(database))).toEqual({
        reason: 'not-a-store',
        message: expect.stringContaining(`/${database}: schema public holds tables of another program`),
      });
      await server.run(database, 'ALTER TABLE bookmarks RENAME TO gateway_store');
      expect(await refusal(server.url(database))).toEqual({
        reason: 'not-a-store',
        message: expect.stringContaining('schema public holds no store of this gateway'),
      });
      expect(await server.run(database, 'SELECT relname FROM pg_class WHERE relnamespace = 2200')).toHaveLength(1);
    });

    test('a store of a newer release', async () => {
      const database = await server.database();
      await (await openPostgresStore(server.url(database))).close();
      await server.run(database, 'UPDATE gateway_store SET version = version + 1');
      expect(await refusal(server.url(database))).toEqual({
        reason: 'newer-version',
        message: expect.stringContaining(
          `/${database}: the store has version ${migrations.length + 1}, this release knows up to ${migrations.length}; start a newer release`,
        ),
      });
    });

    test('another encoding', async () => {
      const database = await server.database("ENCODING 'LATIN1' TEMPLATE template0");
      expect(await refusal(server.url(database))).toMatchObject({
        reason: 'not-a-store',
        message: expect.stringContaining('the database has the encoding LATIN1; create it with: createdb -E UTF8'),
      });
    });

    test('a role that may not write: in an empty database, in a store, and by a setting', async () => {
      const database = await server.database();
      const url = server.url(database, { user: 'reader', password: 'known' });
      expect(await refusal(url)).toEqual({
        reason: 'not-writable',
        message: expect.stringContaining(
          `role reader may not create tables in schema public; make it the owner: ALTER DATABASE ${database} OWNER TO reader`,
        ),
      });
      await (await openPostgresStore(server.url(database))).close();
      await server.run(database, 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader');
      expect(await refusal(url)).toEqual({
        reason: 'not-writable',
        message: expect.stringContaining('role reader may not read and write the tables '),
      });
      await server.run(database, `ALTER DATABASE ${database} SET default_transaction_read_only = on`);
      expect(await refusal(server.url(database))).toMatchObject({
        reason: 'not-writable',
        message: expect.stringContaining('the database is read-only for role admin'),
      });
    });

    test('a URL that is none, without repeating it', async () => {
      expect(await refusal('postgres://gateway:secret@host:port/')).toMatchObject({ reason: 'refused' });
    });
  });

  test('a role that owns its database, or has the rights to all tables of the store, is enough', async () => {
    const database = await server.database('OWNER gateway');
    const owner = await openPostgresStore(server.url(database, { user: 'gateway', password: 'known' }));
    await owner.commit({ documents: [put(userKey('a'), 'one')], journal: [numberedEntry(1)] });
    expect(await owner.eraseJournal({ texts: ['sip:user1@red.example'], after: 0, limit: 9 })).toMatchObject({
      erased: 1,
    });
    await owner.close();
    await server.run(database, 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO reader');
    const other = await openPostgresStore(server.url(database, { user: 'reader', password: 'known' }));
    expect(await other.commit({ documents: [put(userKey('a'), 'two', 'tag-one')] })).toMatchObject({
      outcome: 'committed',
    });
    await other.close();
  });

  test('a store can stand in a schema of its own beside other programs', async () => {
    const database = await server.database();
    await server.run(database, 'CREATE TABLE bookmarks (url text); CREATE SCHEMA gateway');
    const url = server.url(database, { query: `options=${encodeURIComponent('-c search_path=gateway')}` });
    const store = await openPostgresStore(url);
    await store.commit({ documents: [put(userKey('a'), 'one')] });
    await store.close();
    expect(await server.run(database, 'SELECT name FROM gateway.document')).toEqual([{ name: 'a' }]);
  });

  test('a second gateway is refused and does not disturb the first; closing gives the store back at once', async () => {
    const database = await server.database();
    const url = server.url(database);
    const store = await openPostgresStore(url);
    expect(await refusal(url)).toEqual({
      reason: 'in-use',
      message: expect.stringContaining(`/${database}: the store is in use by another process`),
    });
    expect(await store.commit({ documents: [put(userKey('a'), 'one', null)] })).toMatchObject({ outcome: 'committed' });
    await store.close();
    expect(await refusal(url)).toBe('opened');
    expect(
      await server.run('postgres', `SELECT application_name FROM pg_stat_activity WHERE datname = '${database}'`),
    ).toEqual([]);
  });

  test('two gateways that make the store at the same moment do not both get it', async () => {
    const database = await server.database();
    const opened = await Promise.allSettled([1, 2].map(() => openPostgresStore(server.url(database))));
    expect(opened.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    for (const one of opened) if (one.status === 'fulfilled') await one.value.close();
  });

  test('that acknowledged commits are not safe with fsync off is told', async () => {
    const notes: StoreNote[] = [];
    await (
      await openPostgresStore(server.url(await server.database()), { onNote: (note) => notes.push(note) })
    ).close();
    expect(notes).toMatchObject([{ event: 'unsafe', error: { message: expect.stringContaining('fsync off') } }]);
  });

  test('a commit waits for the disk even where the server is set not to', async () => {
    const database = await server.database();
    await server.run(database, `ALTER DATABASE ${database} SET synchronous_commit = off`);
    const parsed = parsePostgresUrl(server.url(database));
    expect(parsed).toHaveProperty('address');
    const store = await openPostgresStore(server.url(database));
    await server.run(
      database,
      `CREATE TABLE seen (setting text);
       CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
       CREATE TRIGGER note AFTER INSERT ON memo EXECUTE FUNCTION note()`,
    );
    await store.commit({ memos: [{ name: 'a', value: 'b' }] });
    await store.close();
    expect(await server.run(database, 'SELECT setting FROM seen')).toEqual([{ setting: 'on' }]);
  });

  describe('over TLS', () => {
    const url = (query: string): string => server.url('postgres', { tcp: true, query });
    const encrypted = async (query: string): Promise<unknown> => {
      const parsed = parsePostgresUrl(url(query));
      if ('problem' in parsed) throw new Error(parsed.problem);
      const session = await Session.open(parsed.address);
      const { rows } = await session.query({ text: 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()' });
      await session.end();
      return rows;
    };

    test('sslmode=verify-full and verify-ca accept what the CA has issued, require accepts anything', async () => {
      const ca = encodeURIComponent(join(folder, 'certificates', 'ca.crt'));
      for (const query of [
        `sslmode=verify-full&sslrootcert=${ca}`,
        `sslmode=verify-ca&sslrootcert=${ca}`,
        'sslmode=require',
      ]) {
        expect(await encrypted(query)).toEqual([{ ssl: true }]);
      }
      expect(await encrypted('sslmode=disable')).toEqual([{ ssl: false }]);
    });

    test('another CA is refused before a password is sent', async () => {
      expect(await refusal(url('sslmode=verify-full'))).toEqual({
        reason: 'unreachable',
        message: expect.stringMatching(/the server cannot be reached: .*certificate/),
      });
    });
  });

  describe('an erased person', () => {
    /** In how many rows, statistics and versions of rows on the pages of a table a text can be read. */
    const readable = async (database: string, table: string, text: string): Promise<number> => {
      const [row] = await server.run(
        database,
        `CREATE EXTENSION IF NOT EXISTS pageinspect;
         SELECT (SELECT count(*) FROM ${table} t WHERE t::text LIKE '%${text}%')
           + (SELECT count(*) FROM pg_stats s WHERE s::text LIKE '%${text}%')
           + (SELECT count(*) FROM generate_series(0, pg_relation_size('${table}') / 8192 - 1) page,
                heap_page_items(get_raw_page('${table}', page::int)) item
              WHERE position(convert_to('${text}', 'UTF8') IN item.t_data) > 0) AS count`,
      );
      return Number(row?.count);
    };

    test('is in no table, index statistic or dead row that SQL can read', async () => {
      const here = await engine();
      await filled(here, 300);
      const store = await here.open();
      await server.run(here.database, 'ANALYZE');
      expect(await store.eraseJournal({ texts: ['sip:user77@red.example'], after: 0, limit: 1000 })).toMatchObject({
        erased: 1,
      });
      const found = (text: string): Promise<number> => readable(here.database, 'journal', text);
      expect(await found('sip:user78@red.example')).toBe(2);
      expect(await found('sip:user77@red.example')).toBe(0);
      await store.close();
      expect(await verdictOf(here)).toMatchObject({ intact: true, entries: 300, erased: 1 });
    });

    test('is in no record either, when the journal has been gone through', async () => {
      const here = await engine();
      const store = await here.open();
      const record = { kind: 'author', name: 'edit 1', personal: true };
      await store.commit({ records: [{ ...record, value: 'sip:user77@red.example' }] });
      await server.run(here.database, 'ANALYZE');
      expect(await readable(here.database, 'record', 'sip:user77@red.example')).toBe(2);
      await store.commit({ records: [{ ...record, value: '(erased)' }] });
      await store.eraseJournal({ texts: ['sip:user77@red.example'], after: 0, limit: 1000 });
      expect(await readable(here.database, 'record', 'sip:user77@red.example')).toBe(0);
      await store.close();
    });

    test('U+0000, which PostgreSQL does not keep, is told as U+FFFD in the journal, and refused alone elsewhere', async () => {
      const here = await engine();
      const store = await here.open();
      await store.commit({ journal: [{ ...numberedEntry(1), subject: 'a\0b', detail: { path: 'a\0b' } }] });
      expect(await store.journal()).toMatchObject([{ subject: 'a\ufffdb', detail: { path: 'a\0b' } }]);
      expect(await store.document(userKey('a\0b'))).toBeUndefined();
      await expect(store.commit({ documents: [put(userKey('a\0b'), 'x')] })).rejects.toMatchObject({
        reason: 'failed',
      });
      await store.close();
    });
  });

  describe('the version of the store', () => {
    const older = [
      'CREATE TABLE gateway_store (version integer); INSERT INTO gateway_store VALUES (0)',
      "CREATE TABLE first AS SELECT 'kept' AS a",
    ];
    const steps = async (version: number, all: readonly string[], database: string): Promise<void> => {
      const parsed = parsePostgresUrl(server.url(database));
      if ('problem' in parsed) throw new Error(parsed.problem);
      const session = await Session.open(parsed.address);
      await migrate(session, version, all).finally(() => session.end());
    };

    test('an older one is upgraded by the missing steps alone', async () => {
      const database = await server.database();
      await steps(0, older, database);
      await steps(2, [...older, 'ALTER TABLE first ADD COLUMN b text', "UPDATE first SET b = 'new'"], database);
      expect(await server.run(database, 'SELECT * FROM first, gateway_store')).toEqual([
        { a: 'kept', b: 'new', version: 4 },
      ]);
    });

    test('an upgrade that fails leaves the older version whole', async () => {
      const database = await server.database();
      await steps(0, older, database);
      await expect(steps(2, [...older, 'CREATE TABLE second (a text)', 'NONSENSE'], database)).rejects.toThrow(
        'NONSENSE',
      );
      expect(
        await server.run(database, "SELECT version, to_regclass('second')::text AS second FROM gateway_store"),
      ).toEqual([{ version: 2, second: null }]);
    });
  });

  test('the password of the superuser in these tests needs percent-encoding', () => {
    expect(encodeURIComponent(superuser.password)).not.toBe(superuser.password);
  });
});
