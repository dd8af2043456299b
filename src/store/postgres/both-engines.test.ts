// Both engines, the same commits at the same moments: what each answers, and all that can be read afterwards, must be equal.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { describeWith } from '../../../test/describe-with.ts';
import { PostgresServer } from '../../../test/postgres-server.ts';
import { manualClock } from '../clock.testkit.ts';
import { verifyJournal } from '../journal-verify.ts';
import { openSqliteStore } from '../sqlite/sqlite-store.ts';
import type {
  Commit,
  DeliveryWrite,
  DocumentKey,
  DocumentWrite,
  RecordWrite,
  SourceRecord,
  SourceWrite,
  Store,
} from '../store.ts';
import { openPostgresStore } from './postgres-store.ts';

const few = <Value>(...values: readonly Value[]): fc.Arbitrary<Value> => fc.constantFrom(...values);
const instant = few('2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.000Z', '2027-01-01T00:00:00.000Z');
const tag = few('t1', 't2', 't3');
const expected = fc.option(few<string | null>(null, 't1', 't2', 't3'), { nil: undefined });
const groupId = few('sip:g1@red.example', 'sip:g2@red.example', 'sip:ü@red.example');
const partner = few('blue', 'Blue', 'green');
const key: fc.Arbitrary<DocumentKey> = fc.record({
  auid: few('a', 'b'),
  tree: few('users' as const, 'global' as const),
  xui: few('', 'sip:x@red.example'),
  name: few('n', 'N', 'nä', 'n\u{1f600}', 'n\ufffd', 'n\'"\\{},', 'n/m'),
});
const bytes = fc.uint8Array({ maxLength: 20 });

const documentWrite: fc.Arbitrary<DocumentWrite> = fc.oneof(
  fc.record({
    write: fc.constant('put' as const),
    document: fc.record({ key, tag, bytes, groupId: fc.option(groupId, { nil: undefined }) }),
    expected,
  }),
  fc.record({ write: fc.constant('delete' as const), key, expected }),
);

const source: fc.Arbitrary<SourceRecord> = fc.record(
  {
    groupId,
    partner,
    bytes,
    tag,
    primaryTag: tag,
    policy: few('p', ''),
    policyVersion: fc.nat(),
    appliedRules: fc.array(few('one', 'two "quoted"', 'NULL')),
    received: instant,
    staleSince: instant,
    heldSince: instant,
    sent: instant,
    released: bytes,
  },
  { requiredKeys: ['groupId', 'partner', 'bytes', 'tag', 'policy', 'policyVersion', 'appliedRules', 'received'] },
);

const sourceWrite: fc.Arbitrary<SourceWrite> = fc.oneof(
  fc.record({ write: fc.constant('put' as const), source, expected }),
  fc.record({ write: fc.constant('delete' as const), groupId, expected }),
);

const deliveryWrite: fc.Arbitrary<DeliveryWrite> = fc.oneof(
  fc.record({
    write: fc.constant('queue' as const),
    delivery: fc.record({
      partner,
      groupId,
      action: few('provide' as const, 'withdraw' as const),
      braked: fc.option(few('why'), { nil: undefined }),
      urgent: fc.option(fc.boolean(), { nil: undefined }),
    }),
  }),
  fc.record({
    write: fc.constant('settle' as const),
    partner,
    groupId,
    sequence: fc.nat({ max: 12 }),
    state: few('queued' as const, 'delivered' as const, 'parked' as const),
    attempts: fc.nat({ max: 3 }),
    notBefore: fc.option(instant, { nil: undefined }),
    partnerTag: fc.option(tag, { nil: undefined }),
    outcome: fc.option(few('refused'), { nil: undefined }),
  }),
  fc.record({ write: fc.constant('drop' as const), partner, groupId }),
);

const value = fc.option(few('t1', 't2', '', '{"a":"\\u0000"}'), { nil: undefined });
const recordWrite: fc.Arbitrary<RecordWrite> = fc.record({
  kind: few('k', 'l'),
  name: few('a', 'B', 'ä'),
  value,
  expected,
});
const several = <Item>(item: fc.Arbitrary<Item>): fc.Arbitrary<Item[]> => fc.array(item, { maxLength: 3 });

const commit: fc.Arbitrary<Commit> = fc.record(
  {
    documents: several(documentWrite),
    sources: several(sourceWrite),
    deliveries: several(deliveryWrite),
    subscriptions: several(
      fc.oneof(
        fc.record({
          write: fc.constant('put' as const),
          subscription: fc.record({
            id: few('s', 'S'),
            expires: fc.double({ min: 0, max: 1e10, noNaN: true }),
            state: few('{}', ''),
          }),
        }),
        fc.record({ write: fc.constant('delete' as const), id: few('s', 'S') }),
      ),
    ),
    memos: several(fc.record({ name: few('m', 'M'), value })),
    records: several(recordWrite),
    journal: several(
      fc.record({
        at: instant,
        actor: few('a', 'sip:ü@red.example'),
        action: few('x'),
        subject: few('s', ''),
        detail: few(undefined, { n: 1 }),
      }),
    ),
  },
  { requiredKeys: [] },
);

/** Everything that the interface lets one read, contents as text. */
async function all(store: Store): Promise<unknown> {
  const documents = await store.documents({});
  const sources = await store.sources();
  const readable = (content: Uint8Array | undefined): string | undefined =>
    content === undefined ? undefined : Buffer.from(content).toString('hex');
  const whole = async (id: string): Promise<unknown> => {
    const found = await store.source(id);
    return { ...found, bytes: readable(found?.bytes), released: readable(found?.released) };
  };
  return {
    documents,
    contents: await Promise.all(documents.map(async (one) => readable((await store.document(one.key))?.bytes))),
    withGroup: await store.documents({ groups: true, namePrefix: 'n' }),
    sources,
    states: await store.sourceStates(),
    received: await Promise.all(sources.map((one) => whole(one.groupId))),
    deliveries: await store.deliveries(),
    counts: await store.deliveryCounts(),
    due: await store.dueDeliveries('blue', '2026-01-01T00:00:01.000Z', 9),
    subscriptions: await store.subscriptions(),
    memos: [await store.memo('m'), await store.memo('M')],
    records: [await store.records('k'), await store.records('l')],
    journal: await store.journal(),
    intact: (await verifyJournal(store)).intact,
  };
}

describeWith('postgres', 'both engines keep and answer the same', (program) => {
  let server: PostgresServer;
  let folder: string;
  /** A database with an empty store, of which copies are made. */
  let empty: string;
  beforeAll(async () => {
    server = await PostgresServer.start(program);
    empty = await server.database();
    await (await openPostgresStore(server.url(empty))).close();
    folder = mkdtempSync(join(tmpdir(), 'mcgw-both-'));
  }, 60_000);
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('for any commits, those of one moment together', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(commit, { maxLength: 6 }), { maxLength: 5 }), async (moments) => {
        run += 1;
        const clock = manualClock();
        const sqlite = await openSqliteStore(join(folder, `${run}.db`), clock);
        const postgres = await openPostgresStore(server.url(await server.database(`TEMPLATE ${empty}`)), clock);
        try {
          for (const moment of moments) {
            const [one, other] = await Promise.all(
              [sqlite, postgres].map((store) => Promise.all(moment.map((each) => store.commit(each)))),
            );
            expect(other).toEqual(one);
          }
          expect(await all(postgres)).toEqual(await all(sqlite));
        } finally {
          await sqlite.close();
          await postgres.close();
        }
      }),
      { numRuns: Number(process.env.MCGW_RUNS ?? 25) },
    );
  });
});
