import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { closeSchemas } from '../documents/documents.testkit.ts';
import { openSystems, primaryAgreement, type Systems } from './interconnect.testkit.ts';
import type { ProvideOutcome } from './ports.ts';

const alpha = 'sip:alpha@red.example';
const beta = 'sip:beta@red.example';

let systems: Systems;
beforeEach(async () => {
  systems = await openSystems();
});
afterEach(async () => {
  expect(systems.red.faults).toEqual([]);
  await systems.close();
});
afterAll(closeSchemas);

const delivery = (groupId = alpha) => systems.red.store.delivery('blue', groupId);
const attempts = (groupId = alpha): number => systems.red.sent.filter((message) => message.groupId === groupId).length;
const regrouped = `<oxe:supported-services><oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcdata.sds"/></oxe:supported-services>
  <mcpttgi:on-network-regrouped temporary-MCPTT-group-ID="sip:tmp@red.example" temporary-MCPTT-group-requestor="sip:chief@red.example">
    <mcpttgi:constituent-MCPTT-group-IDs/></mcpttgi:on-network-regrouped>`;
const refused = (status: number): ProvideOutcome => ({ outcome: 'refused', status, reason: 'constraint-failure: no' });
const failed = (retryAfter?: number): ProvideOutcome => ({ outcome: 'failed', reason: '503', retryAfter });

describe('failures are retried with backoff', () => {
  test('pauses double from the first to the ceiling; nothing is sent in between', async () => {
    systems.red.link = () => 'down';
    await systems.red.putGroup('alpha');
    await systems.settle();
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      const { notBefore, attempts: tried } = (await delivery()) ?? {};
      expect(tried).toBe(i + 1);
      const pause = Date.parse(notBefore ?? '') - systems.clock.now();
      pauses.push(pause / 1000);
      await systems.advance(pause / 1000 - 0.001);
      expect(attempts()).toBe(i + 1);
      await systems.advance(0.001);
      await systems.settle();
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    expect(await delivery()).toMatchObject({ state: 'queued', outcome: 'no connection' });
    expect(await systems.red.journal('delivery-failed')).toHaveLength(10);
  });

  test('after it recovers the content of now is delivered', async () => {
    systems.red.link = () => 'down';
    await systems.red.putGroup('alpha');
    await systems.settle();
    systems.red.link = () => 'none';
    await systems.advance(1);
    expect(await delivery()).toMatchObject({ state: 'delivered', attempts: 2 });
    expect(await systems.blue.documents.findGroup(alpha)).toBeDefined();
  });

  test('RFC 9110 10.2.3: Retry-After holds the whole partner', async () => {
    systems.red.link = ({ groupId }) => (groupId === alpha ? failed(90) : 'none');
    await systems.red.putGroup('alpha');
    await systems.settle();
    await systems.red.putGroup('beta');
    await systems.advance(89);
    expect(attempts(alpha) + attempts(beta)).toBe(1);
    await systems.advance(1);
    expect([attempts(alpha), attempts(beta)]).toEqual([1, 1]);
    expect(await delivery(beta)).toMatchObject({ state: 'delivered' });
    await systems.advance(1);
    expect(attempts(alpha)).toBe(2);
  });

  test('a group that keeps failing never starves the others of its partner', async () => {
    systems.red.link = ({ groupId }) => (groupId === alpha ? failed() : 'none');
    await systems.red.putGroup('alpha');
    for (let i = 0; i < 8; i++) await systems.advance(60);
    await systems.red.putGroup('beta');
    await systems.advance(60);
    expect(await delivery(beta)).toMatchObject({ state: 'delivered', attempts: 1 });
    expect(await delivery(alpha)).toMatchObject({ state: 'queued' });
  });

  test('an unreachable partner is probed with one delivery at a time, and catches up at once when it is back', async () => {
    systems.red.link = () => 'down';
    const names = Array.from({ length: 12 }, (_, i) => `g${i}`);
    for (const name of names) await systems.red.putGroup(name);
    await systems.settle();
    const first = systems.red.sent.length;
    expect(first).toBeLessThanOrEqual(6);
    await systems.advance(30);
    expect(systems.red.sent.length - first).toBeLessThan(15);
    systems.red.link = () => 'none';
    await systems.advance(60);
    expect(await systems.red.store.deliveries({ partner: 'blue', state: 'delivered' })).toHaveLength(12);
  });

  test('regroup markers overtake bulk: they are sent first, and also while slow bulk is under way', async () => {
    const slow = Promise.withResolvers<'none'>();
    const begun = Promise.withResolvers<void>();
    systems.red.link = ({ groupId }) => (groupId.includes('marked') ? 'none' : slow.promise);
    for (let i = 0; i < 10; i++) await systems.red.putGroup(`bulk${i}`);
    const stored = systems.blue.documents.onChange(() => begun.resolve());
    await systems.red.putGroup('marked', { supported: regrouped });
    await begun.promise;
    stored();
    const underWay = systems.red.sent.length;
    slow.resolve('none');
    await systems.settle();
    expect(underWay).toBeLessThanOrEqual(6);
    const order = systems.red.sent.map(({ groupId }) => groupId);
    expect(order.indexOf('sip:marked@red.example')).toBeLessThan(order.indexOf('sip:bulk9@red.example'));
    expect(await systems.red.store.deliveries({ partner: 'blue', state: 'delivered' })).toHaveLength(11);
  });

  test('one dead partner never delays another', async () => {
    await systems.close();
    systems = await openSystems({
      red: {
        partners: { green: { agreement: primaryAgreement('red') }, blue: { agreement: primaryAgreement('red') } },
      },
    });
    const stuck = Promise.withResolvers<'down'>();
    systems.red.link = ({ partner }) => (partner === 'green' ? stuck.promise : 'none');
    const stored = Promise.withResolvers<void>();
    systems.blue.documents.onChange(() => stored.resolve());
    await systems.red.putGroup('alpha', { members: ['sip:omar@blue.example', 'sip:amira@green.example'] });
    await stored.promise;
    stuck.resolve('down');
    await systems.settle();
    expect(await delivery()).toMatchObject({ state: 'delivered' });
    expect(await systems.red.store.delivery('green', alpha)).toMatchObject({ state: 'queued', attempts: 1 });
  });
});

describe('permanent refusals are shown and not hammered', () => {
  test('a 4xx parks the delivery until the operator retries it', async () => {
    systems.red.link = () => refused(409);
    await systems.red.putGroup('alpha');
    await systems.settle();
    expect(await delivery()).toMatchObject({ state: 'parked', outcome: 'refused with 409: constraint-failure: no' });
    await systems.advance(3600);
    expect(attempts()).toBe(1);
    systems.red.link = () => 'none';
    await systems.red.interconnection.retryDelivery('blue', alpha, 'operator');
    await systems.settle();
    expect(await delivery()).toMatchObject({ state: 'delivered' });
    expect(await systems.red.journal('delivery-retried')).toMatchObject([{ actor: 'operator', subject: alpha }]);
  });

  test('of two operators that drop it at once one is told that it is gone; the journal has one drop', async () => {
    systems.red.link = () => refused(409);
    await systems.red.putGroup('alpha');
    await systems.settle();
    const drop = (actor: string): Promise<string> =>
      systems.red.interconnection.dropDelivery('blue', alpha, actor).then(
        () => 'dropped',
        (error) => error.code,
      );
    expect(await Promise.all([drop('ines'), drop('jan')])).toEqual(['dropped', 'not-found']);
    expect(await systems.red.journal('delivery-dropped')).toMatchObject([{ actor: 'ines' }]);
  });

  test('a newer content is tried again by itself', async () => {
    systems.red.link = () => refused(409);
    await systems.red.putGroup('alpha');
    await systems.settle();
    systems.red.link = () => 'none';
    await systems.red.putGroup('alpha', { name: 'newer' });
    await systems.settle();
    expect(await delivery()).toMatchObject({ state: 'delivered' });
  });

  test('one refused group holds no other', async () => {
    systems.red.link = ({ groupId }) => (groupId === alpha ? refused(403) : 'none');
    await systems.red.putGroup('alpha');
    await systems.red.putGroup('beta');
    await systems.settle();
    expect([(await delivery(alpha))?.state, (await delivery(beta))?.state]).toEqual(['parked', 'delivered']);
  });

  test('a dropped delivery is gone', async () => {
    systems.red.link = () => refused(403);
    await systems.red.putGroup('alpha');
    await systems.settle();
    await systems.red.interconnection.dropDelivery('blue', alpha, 'operator');
    expect(await delivery()).toBeUndefined();
    await expect(systems.red.interconnection.retryDelivery('blue', alpha, 'operator')).rejects.toMatchObject({
      code: 'not-found',
    });
  });
});

describe('in order per partner and group, newest content wins', () => {
  test('content that changed while its delivery was under way is delivered afterwards, never beside it', async () => {
    const gate = Promise.withResolvers<'none'>();
    const begun = Promise.withResolvers<void>();
    let together = 0;
    systems.red.link = () => {
      together++;
      begun.resolve();
      return together === 1 ? gate.promise : 'none';
    };
    await systems.red.putGroup('alpha', { name: 'one' });
    await begun.promise;
    await systems.red.putGroup('alpha', { name: 'two' });
    await systems.red.putGroup('alpha', { name: 'three' });
    expect(systems.red.sent).toHaveLength(1);
    gate.resolve('none');
    await systems.settle();
    expect(systems.red.sent).toHaveLength(2);
    const served = await systems.blue.documents.findGroup(alpha);
    expect(Buffer.from(served?.bytes ?? []).toString()).toContain('<display-name>three</display-name>');
    expect(await delivery()).toMatchObject({ state: 'delivered' });
  });

  test('what waited is sent with the content of now', async () => {
    systems.red.link = () => 'down';
    await systems.red.putGroup('alpha', { name: 'old' });
    await systems.settle();
    await systems.red.putGroup('alpha', { name: 'new' });
    await systems.settle();
    systems.red.link = () => 'none';
    await systems.advance(60);
    expect(systems.blue.events).toHaveLength(1);
    const served = await systems.blue.documents.findGroup(alpha);
    expect(Buffer.from(served?.bytes ?? []).toString()).toContain('<display-name>new</display-name>');
  });

  test('a group that was deleted before it ever arrived is withdrawn', async () => {
    systems.red.link = () => 'down';
    await systems.red.putGroup('alpha');
    await systems.settle();
    await systems.red.deleteGroup('alpha');
    systems.red.link = () => 'none';
    await systems.advance(60);
    expect(await delivery()).toMatchObject({ action: 'withdraw', state: 'delivered' });
    expect(systems.blue.events).toEqual([]);
  });
});

describe('what is sent is decided when it is sent', () => {
  const queue = (groupId: string) =>
    systems.red.store.commit({
      deliveries: [{ write: 'queue', delivery: { partner: 'blue', groupId, action: 'provide' } }],
    });

  test('a group that is gone is withdrawn, whatever was queued', async () => {
    await systems.red.putGroup('alpha');
    await systems.settle();
    await systems.red.deleteGroup('alpha');
    await queue(alpha);
    await systems.settle();
    await systems.red.putGroup('beta');
    await systems.settle();
    expect(await delivery()).toMatchObject({ state: 'delivered', outcome: 'withdrawn' });
    expect(await systems.blue.documents.findGroup(alpha)).toBeUndefined();
  });

  test('a group without a member of the partner is withdrawn', async () => {
    await systems.red.putGroup('alpha', { members: ['sip:ines@red.example'] });
    await queue(alpha);
    await systems.red.putGroup('beta');
    await systems.settle();
    expect(await delivery()).toMatchObject({ state: 'delivered', outcome: 'withdrawn' });
  });
});

describe('a crash loses nothing', () => {
  test('what was queued is delivered after the restart', async () => {
    systems.red.link = () => 'down';
    await systems.red.putGroup('alpha');
    await systems.settle();
    systems.red.link = () => 'none';
    await systems.red.restart();
    await systems.advance(60);
    expect(await delivery()).toMatchObject({ state: 'delivered' });
  });

  test("a lost answer, or a crash between the partner's store and our record, is healed by the idempotent repeat", async () => {
    systems.red.link = () => 'answer lost';
    await systems.red.putGroup('alpha');
    await systems.settle();
    expect(await delivery()).toMatchObject({ state: 'queued', outcome: 'connection closed' });
    expect(systems.blue.events).toHaveLength(1);
    systems.red.link = () => 'none';
    await systems.red.restart();
    await systems.advance(60);
    expect(await delivery()).toMatchObject({ state: 'delivered' });
    expect(systems.blue.events).toHaveLength(1);
  });

  test('stop finishes what is under way and starts nothing new', async () => {
    const gate = Promise.withResolvers<'none'>();
    const begun = Promise.withResolvers<void>();
    systems.red.link = () => {
      begun.resolve();
      return gate.promise;
    };
    await systems.red.putGroup('alpha');
    await begun.promise;
    const stopped = systems.red.interconnection.stop();
    await systems.red.putGroup('beta');
    gate.resolve('none');
    await stopped;
    expect(await delivery(alpha)).toMatchObject({ state: 'delivered' });
    expect(await delivery(beta)).toMatchObject({ state: 'queued', attempts: 0 });
    expect(systems.clock.waiting).toHaveLength(2);
  });
});

describe('an agreement that is not in force holds deliveries back', () => {
  const withState = (state: object) => ({
    partners: { blue: { agreement: { ...primaryAgreement('red'), ...state } } },
  });

  test('suspended: changes queue, and go when it is active again', async () => {
    systems.red.reload(withState({ state: 'suspended' }));
    await systems.settle();
    await systems.red.putGroup('alpha');
    await systems.advance(3600);
    expect(systems.red.sent).toEqual([]);
    expect(await delivery()).toMatchObject({ state: 'queued', attempts: 0 });
    systems.red.reload(withState({}));
    await systems.settle();
    expect(await delivery()).toMatchObject({ state: 'delivered' });
  });

  test('not yet valid: they go at the first instant of validity', async () => {
    systems.red.reload(withState({ validFrom: new Date(systems.clock.now() + 60_000).toISOString() }));
    await systems.settle();
    await systems.red.putGroup('alpha');
    await systems.advance(59);
    expect(systems.red.sent).toEqual([]);
    await systems.advance(1);
    expect(await delivery()).toMatchObject({ state: 'delivered' });
  });
});
