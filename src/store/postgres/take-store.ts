// From an address to a session that holds the store for itself: connect, see whether this is our store, lock it, bring it up to date.
// The lock is one of the session (pg_advisory_lock): it ends with the connection, and so does the right to write.

// Taken from the module, not the globals: a faked clock must not stop the network.
import { setTimeout as pause } from 'node:timers/promises';
import type { PostgresAddress } from '../../postgres-url.ts';
import type { StoreError } from '../store-error.ts';
import { sqlState, storeFailure, storeProblem } from './failures.ts';
import { migrate, migrations, programName } from './migrations.ts';
import { Session, type SessionOptions } from './session.ts';

/** Which backend of the server a session talks to. */
export interface Backend {
  readonly pid: number;
  readonly started: string;
}

/** What a session finds in its schema. */
export interface Found {
  readonly backend: Backend;
  /** Undefined = nothing is there yet. */
  readonly version: number | undefined;
  /** Of the last transaction that wrote. */
  readonly stamp: string;
  /** Of the last commit. */
  readonly sequence: number;
  /** False = what is acknowledged may be lost when the server's machine fails. */
  readonly syncs: boolean;
}

/** "MCGW", the class of our advisory locks; the other half tells schemas of one database apart. */
const lockClass = 0x4d434757;
/** How long to wait for a predecessor that is just closing, milliseconds. */
const lockPatience = 2_000;
const lockInterval = 50;

// For this session alone. Every statement of ours goes by a key or in the order of one: a plan that was made when a table was small and is kept
// for when it is large must not read all of it. A dead client is noticed after half a minute, so that its lock goes. No limit of somebody else
// ends a session of ours, and what is acknowledged is on disk.
const settings = {
  name: 'settings',
  text: `
    SELECT set_config(s.name, w.value, false) FROM pg_settings s JOIN (VALUES
      ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('jit', 'off'),
      ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '4'), ('tcp_user_timeout', '30000'),
      ('statement_timeout', '0'), ('lock_timeout', '0'), ('transaction_timeout', '0'),
      ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'),
      ('default_transaction_isolation', 'read committed'), ('bytea_output', 'hex'),
      ('synchronous_commit', 'on')) AS w (name, value) ON w.name = s.name
    WHERE s.name <> 'synchronous_commit' OR s.setting = 'off'`,
};

interface PlaceRow {
  readonly schema: string | null;
  readonly encoding: string;
  readonly read_only: string;
  readonly recovering: boolean;
  readonly fsync: string;
  readonly pid: number;
  readonly started: string;
  readonly marked: boolean;
  readonly occupied: boolean;
  readonly creates: boolean;
  readonly lacking: string | null;
}

const place = {
  name: 'place',
  text: `
    WITH here AS (
      SELECT c.oid, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
    SELECT current_schema()::text AS schema, current_setting('server_encoding') AS encoding,
      current_setting('transaction_read_only') AS read_only, pg_is_in_recovery() AS recovering, current_setting('fsync') AS fsync,
      pg_backend_pid() AS pid, (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS started,
      EXISTS (SELECT FROM here WHERE relname = 'gateway_store' AND relkind = 'r') AS marked,
      EXISTS (SELECT FROM here) AS occupied,
      coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS creates,
      (SELECT string_agg(relname, ', ') FROM here
        WHERE relname IN ('gateway_store', 'document', 'source', 'delivery', 'subscription', 'memo', 'record', 'journal', 'journal_end')
          AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
            AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))) AS lacking`,
};

const marker = { name: 'marker', text: 'SELECT program, version, stamp, sequence FROM gateway_store' };

const tryLock = {
  name: 'tryLock',
  text: `SELECT pg_try_advisory_lock(${lockClass}, hashtext(current_schema())) AS taken`,
};
const unlock = { name: 'unlock', text: 'SELECT pg_advisory_unlock_all()' };

// Nobody but the backend that we had ourselves
const endBackend = {
  name: 'endBackend',
  text: 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2',
};

/** A session with our settings. Rejects with StoreError. */
export async function connect(address: PostgresAddress, options: SessionOptions = {}): Promise<Session> {
  let session: Session | undefined;
  try {
    session = await Session.open(address, options);
    await session.query(settings);
    return session;
  } catch (error) {
    session?.destroy(error);
    throw storeFailure(address, error);
  }
}

/** Looks, and changes nothing. Rejects with StoreError `not-a-store`, `newer-version` or `not-writable`. */
export async function inspect(address: PostgresAddress, session: Session): Promise<Found> {
  try {
    return await found(address, session);
  } catch (error) {
    throw storeFailure(address, error);
  }
}

async function found(address: PostgresAddress, session: Session): Promise<Found> {
  const { user, database } = address;
  const failure = storeProblem.bind(undefined, address);
  const [row] = (await session.query<PlaceRow>(place)).rows;
  if (row === undefined) throw new Error('the server told nothing about itself');
  const { schema, pid, started } = row;
  const backend = { pid, started };
  const syncs = row.fsync === 'on';
  if (row.encoding !== 'UTF8') {
    throw failure(
      'not-a-store',
      `the database has the encoding ${row.encoding}; create it with: createdb -E UTF8 -T template0`,
    );
  }
  if (row.recovering) throw failure('not-writable', 'the server is a standby that takes no writes');
  if (row.read_only === 'on') throw failure('not-writable', `the database is read-only for role ${user}`);
  if (schema === null) throw failure('not-writable', 'the search path of the role names no schema that is there');
  if (!row.marked) {
    if (row.occupied) throw failure('not-a-store', `schema ${schema} holds tables of another program`);
    if (!row.creates) {
      throw failure(
        'not-writable',
        `role ${user} may not create tables in schema ${schema}; make it the owner: ALTER DATABASE ${database} OWNER TO ${user}`,
      );
    }
    return { backend, version: undefined, stamp: '', sequence: 0, syncs };
  }
  if (row.lacking !== null) {
    throw failure('not-writable', `role ${user} may not read and write the tables ${row.lacking}`);
  }
  return { backend, syncs, ...(await marked(address, session, schema)) };
}

interface MarkerRow {
  readonly program: string;
  readonly version: number;
  readonly stamp: string;
  readonly sequence: number;
}

async function marked(address: PostgresAddress, session: Session, schema: string): Promise<Omit<MarkerRow, 'program'>> {
  const foreign = storeProblem(address, 'not-a-store', `schema ${schema} holds no store of this gateway`);
  const { rows } = await session.query<MarkerRow>(marker).catch((error: unknown) => {
    // 42703: the table has other columns
    throw sqlState(error) === '42703' ? foreign : error;
  });
  const [row] = rows;
  if (row?.program !== programName || rows.length !== 1) throw foreign;
  const { version, stamp, sequence } = row;
  if (version > migrations.length) {
    throw storeProblem(
      address,
      'newer-version',
      `the store has version ${version}, this release knows up to ${migrations.length}; start a newer release`,
    );
  }
  return { version, stamp, sequence };
}

/** Takes the store for this session, if nobody else has it. */
export async function lock(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ readonly taken: boolean }>(tryLock);
  return rows[0]?.taken === true;
}

/** Somebody else holds the store. */
export function storeInUse(address: PostgresAddress): StoreError {
  return storeProblem(address, 'in-use', 'the store is in use by another process');
}

/** Gives the store back, then ends the session: a successor need not wait until the server notices the end. */
export async function release(session: Session): Promise<void> {
  await session.query(unlock).catch(() => undefined);
  await session.end();
}

/** Ends a session that we lost and that the server still keeps, if it is there. */
export async function endLeftover(session: Session, { pid, started }: Backend): Promise<void> {
  await session.query(endBackend, [pid, started]);
}

/** Opens the store: the session that holds it, and what is in it. Rejects with StoreError. */
export async function takeStore(
  address: PostgresAddress,
  options: SessionOptions,
): Promise<{ readonly session: Session; readonly found: Found }> {
  const session = await connect(address, options);
  try {
    await inspect(address, session);
    const deadline = performance.now() + lockPatience;
    while (!(await lock(session))) {
      if (performance.now() > deadline) throw storeInUse(address);
      await pause(lockInterval);
    }
    // What was there before may have changed until we had it.
    const { version = 0 } = await inspect(address, session);
    await migrate(session, version);
    return { session, found: await inspect(address, session) };
  } catch (error) {
    await release(session);
    throw storeFailure(address, error);
  }
}
