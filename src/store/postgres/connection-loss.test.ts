// Connections that break and servers that go away under a store at work: nothing acknowledged is lost, nothing is done twice, nobody writes
// without holding the store, and the store recovers by itself.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { describeWith } from '../../../test/describe-with.ts';
import { PostgresServer } from '../../../test/postgres-server.ts';
import { until } from '../../../test/until.ts';
import { parsePostgresUrl } from '../../postgres-url.ts';
import { verifyJournal } from '../journal-verify.ts';
import { put, userKey } from '../store.testkit.ts';
import { openPostgresStore, type PostgresStore, type PostgresStoreOptions, type StoreNote } from './postgres-store.ts';
import { Relay } from './relay.testkit.ts';
import { Session } from './session.ts';

const terminateAll = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mcgw'`;

describeWith('postgres', 'a PostgreSQL store that loses its connection', (program) => {
  let server: PostgresServer;
  let database: string;
  let relay: Relay;
  let notes: StoreNote[];
  let stores: PostgresStore[];

  beforeAll(async () => {
    server = await PostgresServer.start(program, { durable: true });
  }, 60_000);
  afterAll(() => server.close());

  beforeEach(async () => {
    database = await server.database();
    relay = await Relay.open(server.port);
    notes = [];
    stores = [];
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
    await relay.close();
  });

  const open = async (url: string, options: PostgresStoreOptions = {}): Promise<PostgresStore> => {
    const store = await openPostgresStore(url, { onNote: (note) => notes.push(note), ...options });
    stores.push(store);
    return store;
  };
  const relayed = (): string => server.url(database, { tcp: true, query: `port=${relay.port}` });
  const events = (): readonly string[] => notes.map(({ event }) => event);
  const document = (name: string) => ({
    documents: [put(userKey(name), name, null)],
    journal: [{ at: '2026-01-02T03:04:05.000Z', actor: 'writer', action: 'document-put', subject: name }],
  });

  /** Writers that go on until told; what was acknowledged, under which sequence. */
  function writing(store: PostgresStore): {
    readonly acknowledged: Map<string, number>;
    readonly faults: unknown[];
    stop(): Promise<void>;
  } {
    const acknowledged = new Map<string, number>();
    const faults: unknown[] = [];
    let stopped = false;
    const lane = async (number: number): Promise<void> => {
      for (let count = 0; !stopped; count++) {
        const name = `${number}-${count}`;
        try {
          const outcome = await store.commit(document(name));
          if (outcome.outcome === 'committed') acknowledged.set(name, outcome.sequence);
          else faults.push(`${name}: ${outcome.outcome}`);
        } catch (error) {
          faults.push(error);
        }
      }
    };
    const lanes = Promise.all(Array.from({ length: 8 }, (_, number) => lane(number)));
    const stop = async (): Promise<void> => {
      stopped = true;
      await lanes;
    };
    return { acknowledged, faults, stop };
  }

  /** Every acknowledged commit is there, all of it, once, in the order of its number. */
  async function expectAll(store: PostgresStore, acknowledged: ReadonlyMap<string, number>): Promise<void> {
    const stored = (await store.documents({})).map(({ key }) => key.name);
    expect([...acknowledged.keys()].filter((name) => !stored.includes(name))).toEqual([]);
    const journalled = (await store.journal()).map(({ subject }) => subject);
    expect(journalled.toSorted()).toEqual(stored.toSorted());
    const bySequence = [...acknowledged].toSorted((one, other) => one[1] - other[1]).map(([name]) => name);
    expect(journalled.filter((name) => acknowledged.has(name))).toEqual(bySequence);
    expect(await verifyJournal(store)).toMatchObject({ intact: true, entries: stored.length });
  }

  const more = (acknowledged: ReadonlyMap<string, number>, count: number): Promise<unknown> => {
    const enough = acknowledged.size + count;
    return until(
      async () => acknowledged.size,
      (size) => size >= enough,
      'more commits',
    );
  };

  test('pg_terminate_backend while commits run: each is done once, and all go on', async () => {
    const store = await open(server.url(database));
    const { acknowledged, faults, stop } = writing(store);
    for (let round = 0; round < 6; round++) {
      await more(acknowledged, 30);
      await server.run('postgres', terminateAll);
      expect(await store.journal({ limit: 1 })).toHaveLength(1);
    }
    await more(acknowledged, 30);
    await stop();
    expect(faults).toEqual([]);
    expect(events().filter((event) => event === 'regained').length).toBeGreaterThanOrEqual(5);
    await expectAll(store, acknowledged);
  });

  test.each(['SIGINT', 'SIGQUIT'] as const)('a server that is restarted after %s while commits run', async (signal) => {
    const store = await open(server.url(database));
    const { acknowledged, faults, stop } = writing(store);
    for (let round = 0; round < 2; round++) {
      await more(acknowledged, 50);
      await server.stop(signal);
      await server.startAgain();
    }
    await more(acknowledged, 50);
    await stop();
    expect(faults).toEqual([]);
    await expectAll(store, acknowledged);
  });

  describe('a COMMIT whose answer never comes', () => {
    test('and that arrived is acknowledged when it is found, and not done again', async () => {
      const store = await open(relayed());
      await store.commit(document('before'));
      relay.onCommit = (pass, cut) => {
        pass();
        const isThere = async (): Promise<boolean> =>
          (await server.run(database, "SELECT FROM document WHERE name = 'one'")).length > 0;
        void until(isThere, Boolean, 'the document').then(cut);
      };
      expect(await store.commit(document('one'))).toMatchObject({ outcome: 'committed', sequence: 2 });
      expect(await store.commit(document('two'))).toMatchObject({ outcome: 'committed', sequence: 3 });
      expect(events()).toEqual(['lost', 'regained']);
      expect((await store.journal()).map(({ subject }) => subject)).toEqual(['before', 'one', 'two']);
      expect(await verifyJournal(store)).toMatchObject({ intact: true, entries: 3 });
    });

    test('and that did not arrive is done again, once', async () => {
      const store = await open(relayed());
      relay.onCommit = (_, cut) => cut();
      const both = await Promise.all([store.commit(document('one')), store.commit(document('one'))]);
      expect(both).toMatchObject([{ outcome: 'committed', sequence: 1 }, { outcome: 'conflict' }]);
      expect((await store.journal()).map(({ subject }) => subject)).toEqual(['one']);
    });

    test('is still found when the server hears nothing of the end: what is left of the old session is ended', async () => {
      const store = await open(relayed());
      relay.onCommit = (pass) => {
        pass();
        relay.cutStore();
      };
      expect(await store.commit(document('one'))).toMatchObject({ outcome: 'committed', sequence: 1 });
      expect(await store.commit(document('two'))).toMatchObject({ outcome: 'committed', sequence: 2 });
    });
  });

  describe('an outage', () => {
    test('longer than the patience refuses reads and commits at once; they go on when the server is back', async () => {
      const store = await open(relayed(), { patience: 200 });
      await store.commit(document('one'));
      relay.closed = true;
      relay.cutAll();
      const refused = { reason: 'unreachable', message: expect.stringContaining(`/${database}: `) };
      await expect(store.commit(document('two'))).rejects.toMatchObject(refused);
      await expect(store.document(userKey('one'))).rejects.toMatchObject(refused);
      const asked = performance.now();
      await expect(store.commit(document('two'))).rejects.toMatchObject(refused);
      await expect(store.pruneJournal({ before: '', rows: 1, limit: 1 })).rejects.toMatchObject(refused);
      expect(performance.now() - asked).toBeLessThan(150);
      relay.closed = false;
      await until(
        async () => events().at(-1),
        (last) => last === 'regained',
        'the connection',
      );
      expect(await store.commit(document('two'))).toMatchObject({ outcome: 'committed', sequence: 2 });
      expect(await store.document(userKey('two'))).toBeDefined();
    });

    test('that a close meets does not keep it: what waits is refused', async () => {
      const store = await open(relayed(), { patience: 300 });
      relay.closed = true;
      relay.cutAll();
      const waiting = expect(store.commit(document('one'))).rejects.toMatchObject({ name: 'StoreError' });
      await store.close();
      await waiting;
    });
  });

  describe('a store that another gateway took meanwhile', () => {
    test('is not written while the other holds it, and again when it gave it back unchanged', async () => {
      const store = await open(relayed(), { patience: 100 });
      relay.closed = true;
      relay.cutAll();
      const other = await open(server.url(database));
      relay.closed = false;
      const reason = async (): Promise<unknown> => {
        const note = notes.at(-1);
        return note?.event === 'waiting' ? Object(note.error).reason : undefined;
      };
      await until(reason, (found) => found === 'in-use', 'the refusal');
      await expect(store.commit(document('one'))).rejects.toMatchObject({ reason: 'in-use' });
      await other.close();
      await until(
        async () => events().at(-1),
        (last) => last === 'regained',
        'the store',
      );
      expect(await store.commit(document('one'))).toMatchObject({ outcome: 'committed', sequence: 1 });
    });

    test('and wrote to is left alone for good, whether it still holds it or not', async () => {
      const store = await open(relayed(), { patience: 60_000 });
      await store.commit(document('one'));
      relay.closed = true;
      relay.cutAll();
      const waiting = expect(store.commit(document('two'))).rejects.toMatchObject({
        reason: 'failed',
        message: expect.stringContaining('the store is not as this gateway left it'),
      });
      const other = await open(server.url(database));
      await other.commit(document('three'));
      relay.closed = false;
      await waiting;
      await other.close();
      await expect(store.commit(document('two'))).rejects.toMatchObject({ reason: 'failed' });
      expect(events()).toContain('broken');
      expect(
        (await server.run(database, 'SELECT subject FROM journal ORDER BY sequence')).map(({ subject }) => subject),
      ).toEqual(['one', 'three']);
    });

    test('without our connection breaking, as behind a pool that shares sessions, takes no commit of ours', async () => {
      const store = await open(server.url(database));
      await store.commit(document('one'));
      await server.run(database, "UPDATE gateway_store SET stamp = 'of another'");
      await expect(store.commit(document('two'))).rejects.toMatchObject({ reason: 'failed' });
      await expect(store.commit(document('two'))).rejects.toMatchObject({ reason: 'failed' });
      expect(events()).toEqual(['broken']);
      expect(await server.run(database, 'SELECT name FROM document')).toEqual([{ name: 'one' }]);
    });
  });

  test('a server that takes no more writes, as after a fail-over, is left; commits wait until it does', async () => {
    const store = await open(server.url(database));
    await server.run('postgres', `ALTER DATABASE ${database} SET default_transaction_read_only = on`);
    await server.run('postgres', terminateAll);
    const waiting = store.commit(document('one'));
    await until(
      async () => notes.at(-1),
      (note) => note?.event === 'waiting',
      'the refusal',
    );
    expect(notes.at(-1)).toMatchObject({ error: { reason: 'not-writable' } });
    await server.run('postgres', `ALTER DATABASE ${database} RESET default_transaction_read_only`);
    expect(await waiting).toMatchObject({ outcome: 'committed' });
  });

  test('a server that answers nothing counts as lost', async () => {
    const parsed = parsePostgresUrl(relayed());
    if ('problem' in parsed) throw new Error(parsed.problem);
    const session = await Session.open(parsed.address, { silence: 100 });
    relay.swallow();
    await expect(session.query({ text: 'SELECT 1' })).rejects.toMatchObject({
      name: 'ConnectionLost',
      message: 'the connection was lost: no answer within 0.1 seconds',
    });
  });
});
