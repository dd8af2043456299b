// The terms of an agreement beside its patterns: members of third systems, what happens at its end, and who accepts.
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { closeSchemas, groupDocument, refusalOf } from '../documents/documents.testkit.ts';
import {
  openSystems,
  type PartnerSketch,
  partnerAgreement,
  primaryAgreement,
  type Systems,
} from './interconnect.testkit.ts';

const alpha = 'sip:alpha@red.example';
const threeSystems = { members: ['sip:omar@blue.example', 'sip:rosa@red.example', 'sip:gil@green.example'] };

let systems: Systems;
afterEach(() => systems.close());
afterAll(closeSchemas);

async function open(
  red: PartnerSketch['agreement'],
  blue: PartnerSketch['agreement'] = {},
  more: Partial<PartnerSketch> = {},
): Promise<void> {
  systems = await openSystems({
    red: { partners: { blue: { agreement: { ...primaryAgreement('red'), ...red } } } },
    blue: { partners: { red: { agreement: { ...partnerAgreement('red'), ...blue }, ...more } } },
  });
}

async function served(): Promise<string | undefined> {
  const document = await systems.blue.documents.findGroup(alpha);
  return document && Buffer.from(document.bytes).toString();
}

const delivery = () => systems.red.store.delivery('blue', alpha);

describe('thirdSystemMembers: members that belong to neither system', () => {
  test('keep: they cross the border', async () => {
    await open({});
    await systems.red.putGroup('alpha', threeSystems);
    await systems.settle();
    expect(await served()).toContain('sip:gil@green.example');
  });

  test('drop at the primary: they do not leave, in no identity position; request and provision bring the same', async () => {
    await open({ thirdSystemMembers: 'drop' });
    const one =
      '<cp:rule id="gil"><cp:conditions><cp:identity><cp:one id="sip:gil@green.example"/></cp:identity></cp:conditions><cp:actions/></cp:rule>';
    await systems.red.putGroup('alpha', { ...threeSystems, rules: one });
    await systems.settle();
    expect(await served()).not.toContain('green.example');
    expect(await served()).toContain('sip:rosa@red.example');
    expect(await systems.blue.interconnection.pull(alpha, 'operator')).toMatchObject({ changed: false });
  });

  test('drop at the partner: the source is kept as it came, what is served is without them', async () => {
    await open({}, { thirdSystemMembers: 'drop' });
    await systems.red.putGroup('alpha', threeSystems);
    await systems.settle();
    expect(await served()).not.toContain('green.example');
    const source = await systems.blue.store.source(alpha);
    expect(Buffer.from(source?.bytes ?? []).toString()).toContain('sip:gil@green.example');
    expect(source?.appliedRules).toContain('members of third systems');
  });

  test('refuse at the partner: 409 with the phrase, nothing stored, parked at the primary', async () => {
    await open({}, { thirdSystemMembers: 'refuse' });
    await systems.red.putGroup('alpha', threeSystems);
    await systems.settle();
    expect(await delivery()).toMatchObject({
      state: 'parked',
      outcome: expect.stringContaining(
        'constraint-failure: The agreement refuses groups with members of third systems',
      ),
    });
    expect(await systems.blue.store.sources()).toEqual([]);
    await systems.red.putGroup('alpha');
    await systems.settle();
    expect(await delivery()).toMatchObject({ state: 'delivered' });
  });

  test('refuse at the primary: the group does not leave, neither flow', async () => {
    await open({ thirdSystemMembers: 'refuse' });
    await systems.red.putGroup('alpha', threeSystems);
    await systems.settle();
    expect(await delivery()).toMatchObject({ state: 'parked' });
    expect((await refusalOf(systems.blue.interconnection.pull(alpha, 'operator'))).code).toBe('partner-refused');
  });

  test('who receives service in one of the two systems belongs to it, whatever the domain', async () => {
    systems = await openSystems({
      red: { partners: { blue: { agreement: { ...primaryAgreement('red'), thirdSystemMembers: 'drop' } } } },
      blue: {
        servedUsers: ['sip:gil@green.example', 'sip:video.gil@green.example', 'sip:data.gil@green.example'],
        partners: { red: { agreement: { ...partnerAgreement('red'), thirdSystemMembers: 'drop' } } },
      },
    });
    await systems.blue.interconnection.acceptProvision(systems.red.asPartner, alpha, groupDocument(threeSystems), {});
    expect(await served()).toContain('sip:gil@green.example');
  });
});

describe('atEnd: when validUntil has passed', () => {
  const validUntil = '2026-01-02T04:00:00Z';
  const hour = 3600;

  test('freeze: what was exchanged stays on both sides, nothing is sent any more', async () => {
    await open({ validUntil }, { validUntil });
    await systems.red.putGroup('alpha');
    await systems.advance(hour);
    const sent = systems.red.sent.length;
    await systems.red.deleteGroup('alpha');
    await systems.advance(hour);
    expect(systems.red.sent.length).toBe(sent);
    expect(await served()).toBeDefined();
  });

  test('withdraw at the partner: the copies are removed at that moment, and readers are told', async () => {
    await open({ validUntil }, { validUntil, atEnd: 'withdraw' });
    await systems.red.putGroup('alpha');
    await systems.settle();
    await systems.advance(hour - 300);
    expect(await served()).toBeDefined();
    await systems.advance(300);
    expect(await served()).toBeUndefined();
    expect(await systems.blue.store.sources()).toEqual([]);
    expect(systems.blue.events.at(-1)?.changes[0]).toMatchObject({ groupId: alpha, tag: undefined });
  });

  test('withdraw at the primary: what was provided is withdrawn; a partner that freezes refuses, which is shown', async () => {
    await open({ validUntil, atEnd: 'withdraw' }, { validUntil });
    await systems.red.putGroup('alpha');
    await systems.advance(hour);
    expect(await delivery()).toMatchObject({
      action: 'withdraw',
      state: 'parked',
      outcome: expect.stringContaining('agreement-not-active'),
    });
    expect(await served()).toBeDefined();
  });

  test('withdraw on both sides: whoever is first, the copy is gone and the withdrawal is done', async () => {
    await open({ validUntil, atEnd: 'withdraw' }, { validUntil, atEnd: 'withdraw' });
    await systems.red.putGroup('alpha');
    await systems.advance(hour);
    expect(await delivery()).toMatchObject({ action: 'withdraw', state: 'delivered' });
    expect(await served()).toBeUndefined();
    expect(systems.red.faults).toEqual([]);
    expect(systems.blue.faults).toEqual([]);
  });

  test('an agreement that begins by itself lets pass then what waited', async () => {
    await open({ validFrom: validUntil }, {});
    await systems.red.putGroup('alpha');
    await systems.settle();
    expect(await served()).toBeUndefined();
    await systems.advance(hour);
    expect(await served()).toBeDefined();
  });
});

describe('accept: manual', () => {
  const manual = { accept: 'manual' };

  test('a provision is stored and answered, and served only after the release', async () => {
    await open({}, manual);
    await systems.red.putGroup('alpha');
    await systems.settle();
    expect(await delivery()).toMatchObject({
      state: 'delivered',
      partnerTag: (await systems.blue.store.source(alpha))?.tag,
    });
    expect(await served()).toBeUndefined();
    expect(systems.blue.events).toEqual([]);
    const asked = systems.blue.sent.length;
    const refusal = await refusalOf(systems.blue.interconnection.group(systems.blue.server, alpha));
    expect(refusal.code).toBe('not-found');
    expect(systems.blue.sent.length).toBe(asked);

    expect(await systems.blue.interconnection.release(alpha, 'operator')).toMatchObject({ changed: true });
    expect(await served()).toContain('sip:omar@blue.example');
    expect(systems.blue.events).toHaveLength(1);
    expect((await systems.blue.store.source(alpha))?.heldSince).toBeUndefined();
    expect(await systems.blue.journal('group-released')).toMatchObject([{ actor: 'operator', subject: alpha }]);
    expect((await refusalOf(systems.blue.interconnection.release(alpha, 'operator'))).code).toBe('not-found');
  });

  test('a change waits too, while the content before is served; the same content again does not', async () => {
    await open({}, manual);
    await systems.red.putGroup('alpha');
    await systems.settle();
    await systems.blue.interconnection.release(alpha, 'operator');
    await systems.red.interconnection.push('blue', alpha, 'operator');
    await systems.settle();
    expect((await systems.blue.store.source(alpha))?.heldSince).toBeUndefined();
    await systems.red.putGroup('alpha', { name: 'Alpha renamed', members: ['sip:omar@blue.example'] });
    await systems.settle();
    expect(await served()).not.toContain('Alpha renamed');
    await systems.blue.restart();
    expect(await served()).not.toContain('Alpha renamed');
    await systems.blue.interconnection.release(alpha, 'operator');
    expect(await served()).toContain('Alpha renamed');
  });

  test('a changed policy acts at once on what is served, and on what waits at its release', async () => {
    await open({}, manual);
    await systems.red.putGroup('alpha');
    await systems.settle();
    await systems.blue.interconnection.release(alpha, 'operator');
    await systems.red.putGroup('alpha', { name: 'Alpha renamed', members: ['sip:omar@blue.example'] });
    await systems.settle();
    const waits = await systems.blue.store.source(alpha);
    const renamed = '  - { name: ours, set: { select: "//g:display-name", value: "Blue name" } }';
    const agreement = { ...partnerAgreement('red'), ...manual };
    systems.blue.reload({ partners: { red: { agreement, inbound: renamed, policyVersion: 2 } } });
    await systems.settle();
    expect(await served()).toContain('Blue name');
    expect(await systems.blue.store.source(alpha)).toMatchObject({ tag: waits?.tag, heldSince: waits?.heldSince });
    systems.blue.reload({ partners: { red: { agreement } } });
    await systems.settle();
    expect(await served()).not.toContain('Blue name');
    expect(await served()).not.toContain('Alpha renamed');
    await systems.blue.interconnection.release(alpha, 'operator');
    expect(await served()).toContain('Alpha renamed');
    expect(systems.blue.faults).toEqual([]);
  });

  test('a primary that goes back to what is served leaves nothing that waits', async () => {
    await open({}, manual);
    await systems.red.putGroup('alpha');
    await systems.settle();
    await systems.blue.interconnection.release(alpha, 'operator');
    await systems.red.putGroup('alpha', { name: 'Alpha renamed', members: ['sip:omar@blue.example'] });
    await systems.settle();
    await systems.red.putGroup('alpha');
    await systems.settle();
    expect((await systems.blue.store.source(alpha))?.heldSince).toBeUndefined();
    expect(await served()).not.toContain('Alpha renamed');
  });

  test('what the policy refuses is refused when it arrives, not at the release', async () => {
    await open({}, manual, {
      inbound: '  - { name: owned, require: { select: "//g:nothing", otherwise: "no owner" } }',
    });
    await systems.red.putGroup('alpha');
    await systems.settle();
    expect(await delivery()).toMatchObject({ state: 'parked', outcome: expect.stringContaining('no owner') });
  });

  test('a deletion needs no release', async () => {
    await open({}, manual);
    await systems.red.putGroup('alpha');
    await systems.settle();
    await systems.red.deleteGroup('alpha');
    await systems.settle();
    expect(await systems.blue.store.sources()).toEqual([]);
    expect((await refusalOf(systems.blue.interconnection.release(alpha, 'operator'))).code).toBe('not-found');
  });

  test('back to automatic: what waited is served', async () => {
    await open({}, manual);
    await systems.red.putGroup('alpha');
    await systems.settle();
    systems.blue.reload({ partners: { red: { agreement: partnerAgreement('red') } } });
    await systems.settle();
    expect(await served()).toBeDefined();
  });
});
