// Both sides compared group by group: what is equal, what differs, what is missing on which side, and what a repair does about it.
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { closeSchemas, groupDocument, refusalOf } from '../documents/documents.testkit.ts';
import { openSystems, partnerAgreement, primaryAgreement, type Systems } from './interconnect.testkit.ts';
import type { Reconciliation } from './ports.ts';

const names = ['alpha', 'beta', 'gamma', 'delta'];
const idOf = (name: string): string => `sip:${name}@red.example`;

let systems: Systems;
beforeEach(async () => {
  systems = await openSystems();
  for (const name of names) await systems.red.putGroup(name);
  await systems.settle();
});
afterEach(async () => {
  expect(systems.red.faults).toEqual([]);
  expect(systems.blue.faults).toEqual([]);
  await systems.close();
});
afterAll(closeSchemas);

async function reconcile(
  at: 'red' | 'blue',
  order: { readonly pattern?: string; readonly repair?: boolean } = {},
): Promise<Reconciliation> {
  const { interconnection } = systems[at];
  const other = at === 'red' ? 'blue' : 'red';
  interconnection.reconcile(other, { pattern: '*', repair: false, ...order }, 'operator');
  await pass();
  const run = interconnection.reconciliation(other);
  if (run?.finished === undefined) throw new Error('it has not finished');
  return run;
}

/** Lets the paced requests come due. */
async function pass(): Promise<void> {
  const idle = { red: false, blue: false };
  for (const at of ['red', 'blue'] as const) {
    void systems[at].interconnection.idle().then(() => {
      idle[at] = true;
    });
  }
  while (!idle.red || !idle.blue) {
    await systems.clock.advance(100, () => new Promise((resolve) => setTimeout(resolve, 1)));
  }
}

const sentBy = (at: 'red' | 'blue', ...kinds: readonly string[]): number =>
  systems[at].sent.filter(({ kind }) => kinds.includes(kind)).length;

test('two systems in agreement are equal, from either side, and nothing was changed or asked for twice', async () => {
  const before = systems.blue.events.length;
  expect(await reconcile('red')).toMatchObject({
    total: 4,
    equal: 4,
    findings: [],
    directory: '4 groups listed by the partner',
  });
  expect(await reconcile('blue')).toMatchObject({ total: 4, equal: 4, findings: [] });
  expect([sentBy('red', 'held'), sentBy('blue', 'fetch'), sentBy('red', 'provide')]).toEqual([4, 4, 4]);
  expect(systems.blue.events).toHaveLength(before);
  expect(await systems.red.journal('partner-reconciled')).toMatchObject([
    { actor: 'operator', subject: 'reconcile:blue', detail: { total: 4, equal: 4, repair: false } },
  ]);
});

test('the primary finds what differs, what is missing there and what is there for too long; without repair nothing changes', async () => {
  await spoil();
  const run = await reconcile('red');
  expect(run).toMatchObject({
    total: 4,
    equal: 1,
    differs: 1,
    missingThere: 1,
    missingHere: 1,
    unknown: 0,
    repaired: 0,
  });
  expect(run.findings).toEqual([
    { groupId: idOf('beta'), home: 'here', state: 'differs', detail: 'the delivery is delivered' },
    { groupId: idOf('delta'), home: 'here', state: 'missing here', detail: 'it is defined here no more' },
    { groupId: idOf('gamma'), home: 'here', state: 'missing there', detail: 'the delivery is delivered' },
  ]);
  expect(await reconcile('red')).toMatchObject({ differs: 1, missingThere: 1, missingHere: 1 });
});

test('a repair delivers and withdraws, and afterwards both sides are equal', async () => {
  await spoil();
  const run = await reconcile('red', { repair: true });
  expect(run.repaired).toBe(3);
  expect(run.findings.map(({ groupId, repair }) => [groupId, repair])).toEqual([
    [idOf('beta'), 'delivery queued'],
    [idOf('delta'), 'withdrawal queued'],
    [idOf('gamma'), 'delivery queued'],
  ]);
  await systems.settle();
  expect(await reconcile('red')).toMatchObject({ equal: 3, findings: [] });
  expect(await reconcile('blue')).toMatchObject({ equal: 3, findings: [] });
});

test('the partner finds the same from its side, and repairs it by requests', async () => {
  await spoil();
  const run = await reconcile('blue', { repair: true });
  expect(run.findings.map(({ groupId, home, state, repair }) => [groupId, home, state, repair])).toEqual([
    [idOf('beta'), 'there', 'differs', 'pulled'],
    [idOf('delta'), 'there', 'missing there', 'removed'],
    [idOf('gamma'), 'there', 'missing here', 'pulled'],
  ]);
  expect(await reconcile('blue')).toMatchObject({ equal: 3, findings: [] });
});

test('a pattern bounds what is compared', async () => {
  await spoil();
  expect(await reconcile('red', { pattern: 'sip:b*@red.example' })).toMatchObject({ total: 1, differs: 1 });
});

test('a repair that would take most of a partner away is braked', async () => {
  await systems.close();
  const brake = { share: 0.25, atLeast: 0, window: 3600 };
  systems = await openSystems({
    red: { brake, partners: { blue: { agreement: primaryAgreement('red') } } },
    blue: { brake, partners: { red: { agreement: partnerAgreement('red') } } },
  });
  for (const name of names) await systems.red.putGroup(name);
  await systems.settle();
  // The primary answers as if it had lost everything.
  systems.blue.link = ({ kind }) => (kind === 'fetch' ? ({ outcome: 'absent' } as never) : 'none');
  const run = await reconcile('blue', { repair: true });
  expect(run).toMatchObject({ missingThere: 4, repaired: 1 });
  expect(run.findings.filter(({ repair }) => repair?.startsWith('partner-refused'))).toHaveLength(3);
  expect(await systems.blue.store.sources()).toHaveLength(3);
});

test('a partner that does not answer is not asked for all; one without a directory is compared by what is known', async () => {
  for (let i = 0; i < 20; i++) await systems.red.putGroup(`more${i}`);
  await systems.settle();
  systems.red.link = ({ kind }) => (kind === 'directory' ? ({ outcome: 'absent' } as never) : 'down');
  const run = await reconcile('red');
  expect(run).toMatchObject({ total: 24, unknown: 24, directory: 'not read: the partner has none' });
  expect(sentBy('red', 'held')).toBeLessThan(12);
  expect(run.findings.at(-1)?.detail).toBe('not asked for: the partner does not answer');
});

test('requests are paced by the rate of catching up', async () => {
  const begun = systems.clock.now();
  systems.red.interconnection.reconcile('blue', { pattern: '*', repair: false }, 'operator');
  await pass();
  const finished = Date.parse(systems.red.interconnection.reconciliation('blue')?.finished ?? '');
  // 50 a second: four groups take three pauses.
  expect(finished - begun).toBeGreaterThanOrEqual(60);
});

test('a second order joins the comparison that runs; an unknown partner is refused', async () => {
  const first = systems.red.interconnection.reconcile('blue', { pattern: '*', repair: false }, 'operator');
  expect(systems.red.interconnection.reconcile('blue', { pattern: 'x', repair: true }, 'operator')).toBe(first);
  await pass();
  const refused = refusalOf(
    Promise.resolve().then(() => systems.red.interconnection.reconcile('nobody', { pattern: '*', repair: false }, 'o')),
  );
  expect((await refused).code).toBe('partner-unknown');
});

/** Makes the two sides differ behind the back of the protocol: beta differs, gamma is missing there, delta here. */
async function spoil(): Promise<void> {
  const beta = await systems.blue.documents.findSource(idOf('beta'));
  const bytes = groupDocument({ uri: idOf('beta'), name: 'Spoilt', members: ['sip:omar@blue.example'] });
  await systems.blue.documents.putForeign(
    {
      groupId: idOf('beta'),
      partner: 'red',
      source: bytes,
      served: bytes,
      policy: beta?.policy ?? '',
      policyVersion: 1,
      appliedRules: [],
      actor: 'test',
    },
    {},
  );
  await systems.blue.documents.deleteForeign(idOf('gamma'), 'test', {});
  systems.red.link = ({ kind }) => (kind === 'withdraw' ? 'down' : 'none');
  await systems.red.deleteGroup('delta');
  await systems.settle();
  await systems.red.interconnection.dropDelivery('blue', idOf('delta'), 'test');
  systems.red.link = () => 'none';
}
