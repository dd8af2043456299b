// The canary of a partner test is taken away again whatever happens: the deletion fails, the gateway is killed, the partner refuses.
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { closeSchemas, refusalOf } from '../documents/documents.testkit.ts';
import { openSystems, type Systems } from './interconnect.testkit.ts';
import { canaryAtPartner } from './partner-test.ts';
import type { PartnerTest } from './ports.ts';

const canary = 'sip:mcgw-canary@red.example';

let systems: Systems;
beforeEach(async () => {
  systems = await openSystems();
});
afterEach(async () => {
  expect(systems.red.faults).toEqual([]);
  expect(systems.blue.faults).toEqual([]);
  await systems.close();
});
afterAll(closeSchemas);

const results = ({ steps }: PartnerTest): Readonly<Record<string, string>> =>
  Object.fromEntries(steps.map(({ step, result }) => [step, result]));
const run = () => systems.red.interconnection.testPartner('blue', 'operator');
const delivery = () => systems.red.store.delivery('blue', canary);

test('what arrives as a canary is stored and answered, told to nobody, and gone afterwards', async () => {
  let heldMeanwhile: string | undefined;
  systems.red.link = async ({ kind }): Promise<'none'> => {
    if (kind === 'withdraw') heldMeanwhile = (await systems.blue.store.source(canary))?.heldSince;
    return 'none';
  };
  const tested = await run();
  expect(tested.passed).toBe(true);
  expect(results(tested)).toMatchObject({ put: 'works', delete: 'works' });
  expect(heldMeanwhile).toBeDefined();
  expect(systems.blue.events).toEqual([]);
  expect(await systems.blue.store.sources()).toEqual([]);
  expect(await delivery()).toBeUndefined();
  expect(await systems.red.journal('partner-tested')).toMatchObject([
    { actor: 'operator', subject: 'partner-test:blue', detail: { passed: true, put: 'works' } },
  ]);
});

test('a canary is never released', async () => {
  systems.red.link = ({ kind }) => (kind === 'withdraw' ? 'down' : 'none');
  await run();
  expect((await refusalOf(systems.blue.interconnection.release(canary, 'operator'))).code).toBe('forbidden');
});

test('a deletion that fails is taken over by the outbox', async () => {
  systems.red.link = ({ kind }) => (kind === 'withdraw' ? 'down' : 'none');
  const tested = await run();
  expect(results(tested)).toMatchObject({ put: 'works', delete: 'fails' });
  expect(tested.passed).toBe(false);
  expect(await systems.blue.store.source(canary)).toBeDefined();
  systems.red.link = () => 'none';
  await systems.advance(60);
  expect(await systems.blue.store.sources()).toEqual([]);
  expect(await delivery()).toMatchObject({ action: 'withdraw', state: 'delivered' });
});

test('a lost answer to the PUT deletes the canary all the same', async () => {
  systems.red.link = ({ kind }) => (kind === 'provide' ? 'answer lost' : 'none');
  expect(results(await run())).toMatchObject({ put: 'fails', delete: 'works' });
  expect(await systems.blue.store.sources()).toEqual([]);
});

test('what a killed gateway left at the partner is withdrawn at the next start', async () => {
  systems.red.link = ({ kind }) => (kind === 'withdraw' ? new Promise<'down'>(() => undefined) : 'none');
  void run();
  while (!systems.red.sent.some(({ kind }) => kind === 'withdraw')) await new Promise(setImmediate);
  expect(await delivery()).toMatchObject({ state: 'braked', outcome: canaryAtPartner });
  // The store as the kill left it, and another gateway on it.
  systems.red.link = () => 'none';
  await systems.red.restart();
  await systems.settle().catch(() => undefined);
  expect(await systems.blue.store.sources()).toEqual([]);
  expect(await delivery()).toMatchObject({ action: 'withdraw', state: 'delivered' });
}, 20_000);

test('a group that exists is never taken for a canary', async () => {
  await systems.red.putGroup('mcgw-canary');
  await systems.settle();
  const sent = systems.red.sent.length;
  expect(results(await run())).toMatchObject({ put: 'skipped', delete: 'skipped' });
  expect(systems.red.sent.length).toBe(sent);
});
