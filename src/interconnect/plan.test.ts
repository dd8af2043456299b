import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { closeSchemas } from '../documents/documents.testkit.ts';
import {
  openSystems,
  type PartnerSketch,
  partnerAgreement,
  primaryAgreement,
  type SystemSettings,
  type Systems,
} from './interconnect.testkit.ts';

const group = 'sip:alpha@red.example';

let systems: Systems;
beforeEach(async () => {
  systems = await openSystems();
  await systems.red.putGroup('alpha');
  await systems.red.putGroup('beta', { members: ['sip:ines@red.example'] });
  await systems.settle();
  systems.red.sent.length = 0;
});
afterEach(async () => {
  expect([...systems.red.faults, ...systems.blue.faults]).toEqual([]);
  await systems.close();
});
afterAll(closeSchemas);

const red = (sketch: Partial<PartnerSketch>): SystemSettings => ({
  partners: { blue: { agreement: primaryAgreement('red'), ...sketch } },
});
const blue = (sketch: Partial<PartnerSketch>, more: Partial<SystemSettings> = {}): SystemSettings => ({
  ...more,
  partners: { red: { agreement: partnerAgreement('red'), ...sketch } },
});
const sent = () => systems.red.sent.map(({ kind, groupId }) => `${kind} ${groupId}`);
const served = async (): Promise<string> =>
  Buffer.from((await systems.blue.documents.findGroup(group))?.bytes ?? []).toString();

describe('what a start or reload owes the partners (flow A, step 1)', () => {
  test('a restart with the same settings sends nothing', async () => {
    await systems.red.restart();
    expect(sent()).toEqual([]);
  });

  test('a new agreement provides what it covers, where the partner has members', async () => {
    await systems.close();
    systems = await openSystems({ red: { partners: { blue: { agreement: {} } } } });
    await systems.red.putGroup('alpha');
    await systems.red.putGroup('beta', { members: ['sip:ines@red.example'] });
    await systems.settle();
    expect(sent()).toEqual([]);
    await systems.red.restart(red({}));
    await systems.settle();
    expect(sent()).toEqual([`provide ${group}`]);
  });

  test('a narrowed agreement withdraws what it covers no more', async () => {
    systems.red.reload(red({ agreement: { weProvide: [{ groups: 'sip:harbour-*@red.example' }] } }));
    await systems.settle();
    expect(sent()).toEqual([`withdraw ${group}`]);
    expect(await systems.blue.documents.findGroup(group)).toBeUndefined();
  });

  test('a changed outbound policy provides again, by version or by text', async () => {
    const floor = (min: number): string => `  - { name: floor, clamp: { priority: [mcptt], min: ${min} } }`;
    await systems.red.restart(red({ outbound: floor(5) }));
    await systems.settle();
    expect(await served()).toContain('>5</');
    systems.red.reload(red({ outbound: floor(6) }));
    await systems.settle();
    expect(await served()).toContain('>6</');
    expect(sent()).toEqual([`provide ${group}`, `provide ${group}`]);
  });

  test('what was queued by a write stays queued once', async () => {
    systems.red.link = () => 'down';
    await systems.red.putGroup('alpha', { name: 'Newer' });
    await systems.settle();
    systems.red.link = () => 'none';
    await systems.red.restart(red({ policyVersion: 2 }));
    await systems.advance(60);
    expect(await systems.red.store.deliveries()).toMatchObject([{ groupId: group, state: 'delivered' }]);
  });
});

describe('a plan that was cut short', () => {
  test('is made again even when the settings are those of before', async () => {
    // What a crash leaves behind in the middle of a plan for other settings.
    await systems.red.store.commit({
      deliveries: [{ write: 'queue', delivery: { partner: 'blue', groupId: group, action: 'withdraw' } }],
      journal: [{ at: '', actor: 'system', action: 'agreement-changing', subject: 'partner:blue', detail: {} }],
    });
    await systems.red.restart();
    await systems.settle();
    expect(await systems.blue.documents.findGroup(group)).toBeDefined();
    expect(await systems.red.store.delivery('blue', group)).toMatchObject({ action: 'provide', state: 'delivered' });
  });
});

describe('a changed inbound policy derives again from the kept source', () => {
  const cap = (max: number): string => `  - { name: cap, clamp: { priority: [mcptt], min: ${max}, max: ${max} } }`;

  test('at start, without asking the primary; readers are told of a changed result', async () => {
    const events = systems.blue.events.length;
    await systems.blue.restart(blue({ inbound: cap(9) }));
    expect(await served()).toContain('>9</');
    expect(await systems.blue.documents.findSource(group)).toMatchObject({ policy: 'from-red', appliedRules: ['cap'] });
    expect(systems.blue.events).toHaveLength(events + 1);
    expect(systems.blue.sent).toEqual([]);
    expect(await systems.blue.journal('derivation-renewed')).toHaveLength(1);
  });

  test('an unchanged result causes no NOTIFY', async () => {
    const events = systems.blue.events.length;
    systems.blue.reload(
      blue({ inbound: '  - { name: nothing, remove: { select: //mcpttgi:owner } }', policyVersion: 4 }),
    );
    await systems.settle();
    expect(await systems.blue.documents.findSource(group)).toMatchObject({ policyVersion: 4 });
    expect(systems.blue.events).toHaveLength(events);
  });

  test('whoever is served decides too', async () => {
    const inbound = '  - { name: ours, members: { keep: [ { served: true } ] } }';
    systems.blue.reload(blue({ inbound }));
    await systems.settle();
    expect(await served()).toContain('omar@blue.example');
    systems.blue.reload(blue({ inbound }, { awayUsers: ['sip:omar@blue.example'] }));
    await systems.settle();
    expect(await served()).not.toContain('omar@blue.example');
  });

  test('a policy that refuses the source leaves what was served, and says so', async () => {
    const before = await served();
    systems.blue.reload(
      blue({ inbound: '  - { name: owned, require: { select: //mcpttgi:owner, otherwise: no owner } }' }),
    );
    await systems.settle();
    expect(await served()).toBe(before);
    expect(await systems.blue.journal('derivation-refused')).toMatchObject([
      { subject: group, detail: { partner: 'red', cause: 'policy rule "owned": no owner' } },
    ]);
  });

  test('a service that the agreement shares no more goes', async () => {
    await systems.red.putGroup('alpha', { services: ['mcptt', 'mcvideo'] });
    await systems.settle();
    expect(await served()).toContain('mcvideo');
    const shared = [{ groups: 'sip:*@red.example', services: ['mcptt'] }];
    systems.blue.reload(blue({ agreement: { theyProvide: shared, weRequest: shared } }));
    await systems.settle();
    expect(await served()).not.toContain('mcvideo');
  });
});
