// The brake at work, and what operators see of deliveries: mass withdrawals and mass absences wait, progress is told.
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { closeSchemas, refusalOf } from '../documents/documents.testkit.ts';
import {
  openSystems,
  partnerAgreement,
  primaryAgreement,
  type SystemSettings,
  type Systems,
} from './interconnect.testkit.ts';

const brake = { share: 0.5, atLeast: 1, window: 3600 };
const red: SystemSettings = { brake, partners: { blue: { agreement: primaryAgreement('red') } } };
const blue: SystemSettings = { brake, revalidate: 100, partners: { red: { agreement: partnerAgreement('red') } } };
const narrowed: SystemSettings = {
  ...red,
  partners: { blue: { agreement: { weProvide: [{ groups: 'sip:g0@red.example' }] } } },
};
const names = ['g0', 'g1', 'g2', 'g3', 'g4', 'g5'];

let systems: Systems;
afterEach(async () => {
  expect(systems.red.faults).toEqual([]);
  expect(systems.blue.faults).toEqual([]);
  await systems.close();
});
afterAll(closeSchemas);

async function open(): Promise<void> {
  systems = await openSystems({ red, blue });
  for (const name of names) await systems.red.putGroup(name);
  await systems.settle();
}

const held = async (): Promise<number> => (await systems.blue.store.sources()).length;
const progress = async () => (await systems.red.interconnection.deliveryProgress())[0];
const braked = async (): Promise<readonly string[]> =>
  (await systems.red.store.deliveries({ state: 'braked' })).map(({ groupId }) => groupId).sort();

describe('withdrawals beyond the share of a partner wait for an operator', () => {
  test('an agreement that loses most of its groups withdraws none; the release lets them go', async () => {
    await open();
    systems.red.reload(narrowed);
    await systems.settle();
    expect(await braked()).toEqual(names.slice(1).map((name) => `sip:${name}@red.example`));
    expect(await held()).toBe(6);
    expect((await systems.red.store.delivery('blue', 'sip:g1@red.example'))?.outcome).toMatch(
      /^5 of 6 groups would go/,
    );
    expect(await systems.red.journal('deliveries-braked')).toHaveLength(1);
    expect(await progress()).toMatchObject({ braked: 5, delivered: 1, queued: 0, circuit: 'closed' });

    expect(await systems.red.interconnection.releaseBrake('blue', 'sip:g1@red.example', 'operator')).toBe(1);
    await systems.settle();
    expect(await held()).toBe(5);
    expect(await systems.red.interconnection.releaseBrake('blue', undefined, 'operator')).toBe(4);
    await systems.settle();
    expect(await held()).toBe(1);
    expect(await systems.red.journal('brake-released')).toMatchObject([{ actor: 'operator' }, { actor: 'operator' }]);
  });

  test('a restart releases nothing; the agreement as before provides again instead', async () => {
    await open();
    systems.red.reload(narrowed);
    await systems.settle();
    await systems.red.restart(narrowed);
    expect(await braked()).toHaveLength(5);
    systems.red.reload(red);
    await systems.settle();
    expect(await braked()).toEqual([]);
    expect(await held()).toBe(6);
  });

  test('deletions one by one add up', async () => {
    const provided = { red: { agreement: { theyProvide: [{ groups: 'sip:*@red.example' }] } } };
    systems = await openSystems({ red, blue: { brake, partners: provided } });
    for (const name of names) await systems.red.putGroup(name);
    await systems.settle();
    for (const name of names) await systems.red.deleteGroup(name);
    await systems.settle();
    expect(await held()).toBe(3);
    expect(await braked()).toHaveLength(3);
    await systems.advance(3600);
    expect(await held()).toBe(3);
  });

  test('what went before a restart counts after it, and so does a release', async () => {
    const provided = { red: { agreement: { theyProvide: [{ groups: 'sip:*@red.example' }] } } };
    systems = await openSystems({ red, blue: { brake, partners: provided } });
    for (const name of names) await systems.red.putGroup(name);
    await systems.settle();
    for (const name of names.slice(0, 3)) await systems.red.deleteGroup(name);
    await systems.settle();
    expect(await held()).toBe(3);
    await systems.red.restart();
    await systems.red.deleteGroup('g3');
    await systems.settle();
    expect(await braked()).toEqual(['sip:g3@red.example']);
    await systems.red.interconnection.releaseBrake('blue', undefined, 'operator');
    await systems.red.restart();
    await systems.red.deleteGroup('g4');
    await systems.settle();
    expect(await held()).toBe(1);
  });

  test('a group that comes back before the release is provided', async () => {
    await open();
    for (const name of names) await systems.red.deleteGroup(name);
    await systems.red.putGroup('g5', { name: 'again', members: ['sip:omar@blue.example'] });
    await systems.settle();
    expect(await braked()).toHaveLength(2);
    expect(await systems.red.store.delivery('blue', 'sip:g5@red.example')).toMatchObject({ state: 'delivered' });
  });

  test('what was queued as a provision and is to be withdrawn when it is sent passes the brake too', async () => {
    systems = await openSystems({ red: { ...red, brake: { share: 0, atLeast: 0, window: 3600 } }, blue });
    systems.red.link = () => 'down';
    await systems.red.putGroup('g0');
    await systems.settle();
    systems.red.link = () => 'none';
    const nothing = { blue: { agreement: { theyRequest: [{ groups: 'sip:*@red.example' }] } } };
    systems.red.reload({ brake: { share: 0, atLeast: 0, window: 3600 }, partners: nothing });
    await systems.advance(60);
    expect(systems.red.sent.filter(({ kind }) => kind === 'withdraw')).toEqual([]);
    expect(await braked()).toEqual(['sip:g0@red.example']);
    expect(await systems.red.interconnection.releaseBrake('blue', undefined, 'operator')).toBe(1);
    await systems.settle();
    expect(systems.red.sent.filter(({ kind }) => kind === 'withdraw')).toHaveLength(1);
  });

  test('the end of an agreement with atEnd: withdraw was decided by people and is not held', async () => {
    const validUntil = '2026-01-02T03:10:00Z';
    const ends = { validUntil, atEnd: 'withdraw' };
    systems = await openSystems({
      red: { ...red, partners: { blue: { agreement: { ...primaryAgreement('red'), ...ends } } } },
      blue: { ...blue, partners: { red: { agreement: { ...partnerAgreement('red'), ...ends } } } },
    });
    for (const name of names) await systems.red.putGroup(name);
    await systems.advance(3600);
    expect(await braked()).toEqual([]);
    expect(await held()).toBe(0);
  });

  test('a delivery that is not held cannot be released', async () => {
    await open();
    const refusal = await refusalOf(systems.red.interconnection.releaseBrake('blue', 'sip:g0@red.example', 'operator'));
    expect(refusal.code).toBe('not-found');
  });
});

describe('absences at the primary beyond the share wait too', () => {
  test('copies stay, marked stale, until the operator lets them go; the journal does not grow with each round', async () => {
    await open();
    // the primary lost its groups without telling
    systems.red.reload({ brake, partners: { blue: { agreement: {}, provide: 'none' } } });
    await systems.advance(100);
    expect(await held()).toBe(3);
    const stale = (await systems.blue.store.sources()).filter(({ staleSince }) => staleSince !== undefined);
    expect(stale).toHaveLength(3);
    const failures = (await systems.blue.journal('fetch-failed')).length;
    await systems.advance(1000);
    expect(await systems.blue.journal('fetch-failed')).toHaveLength(failures);
    expect(await held()).toBe(3);
    await systems.blue.interconnection.releaseBrake('red', undefined, 'operator');
    await systems.advance(100);
    expect(await held()).toBe(0);
  });

  test('a single group that the operator asks for is removed at once', async () => {
    await open();
    systems.red.reload({ brake, partners: { blue: { agreement: {}, provide: 'none' } } });
    await systems.advance(100);
    const [left] = await systems.blue.store.sources();
    expect(await systems.blue.interconnection.pull(left?.groupId ?? '', 'operator')).toEqual({ outcome: 'removed' });
  });
});

describe('progress is told', () => {
  test('queued, in flight, delivered, parked, the age of the oldest, and the circuit of a partner that fails', async () => {
    systems = await openSystems({ red, blue });
    systems.red.link = () => 'down';
    const since = new Date(systems.clock.now()).toISOString();
    await systems.red.putGroup('g0');
    await systems.settle();
    expect(await progress()).toEqual({
      partner: 'blue',
      queued: 1,
      inFlight: 0,
      delivered: 0,
      parked: 0,
      braked: 0,
      oldest: since,
      circuit: 'closed',
    });
    await systems.advance(3);
    expect(await progress()).toMatchObject({ circuit: 'open', oldest: since, until: expect.stringMatching(/Z$/) });
    const { promise, resolve } = Promise.withResolvers<'none'>();
    systems.red.link = () => promise;
    const later = systems.advance(120);
    while ((await progress())?.inFlight !== 1) await new Promise(setImmediate);
    expect(await progress()).toMatchObject({ queued: 0, inFlight: 1, circuit: 'half-open' });
    resolve('none');
    await later;
    expect(await progress()).toEqual({
      partner: 'blue',
      queued: 0,
      inFlight: 0,
      delivered: 1,
      parked: 0,
      braked: 0,
      circuit: 'closed',
    });
    systems.red.link = () => ({ outcome: 'refused', status: 409, reason: 'no' });
    await systems.red.putGroup('g1');
    await systems.settle();
    expect(await progress()).toMatchObject({ delivered: 1, parked: 1 });
  });
});
