import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { closeSchemas } from '../documents/documents.testkit.ts';
import {
  openSystems,
  type PartnerSketch,
  partnerAgreement,
  primaryAgreement,
  type Systems,
} from './interconnect.testkit.ts';

const group = 'sip:alpha@red.example';
const rulesOfBlue = `  - { name: our ceiling, clamp: { priority: [mcptt], min: 7 } }
  - { name: no video here, services: { drop: [mcvideo] } }`;

let systems: Systems;
afterEach(async () => {
  expect([...systems.red.faults, ...systems.blue.faults, ...systems.green.faults]).toEqual([]);
  await systems.close();
});
afterAll(closeSchemas);

async function open(red: Partial<PartnerSketch> = {}, blue: Partial<PartnerSketch> = {}): Promise<Systems> {
  return openSystems({
    red: { partners: { blue: { agreement: primaryAgreement('red'), ...red } } },
    blue: { partners: { red: { agreement: partnerAgreement('red'), ...blue } } },
  });
}

const delivery = () => systems.red.store.delivery('blue', group);
const atBlue = async (): Promise<string | undefined> => {
  const document = await systems.blue.documents.findGroup(group);
  return document === undefined ? undefined : Buffer.from(document.bytes).toString();
};

describe('TS 23.280 10.2.7, primary MC system provides group configuration to the partner MC system', () => {
  beforeEach(async () => {
    systems = await open({}, { inbound: rulesOfBlue });
  });

  test('the primary provides, the partner modifies by its policy, stores, notifies and answers', async () => {
    await systems.red.putGroup('alpha', { services: ['mcptt', 'mcvideo'] });
    await systems.settle();
    const served = await systems.blue.documents.findGroup(group);
    const source = await systems.blue.documents.findSource(group);
    const original = await systems.red.documents.findGroup(group);
    expect(Buffer.from(source?.bytes ?? [])).toEqual(Buffer.from(original?.bytes ?? []));
    expect(source).toMatchObject({ partner: 'red', policy: 'from-red', policyVersion: 1 });
    expect(source?.appliedRules).toEqual(['our ceiling', 'no video here']);
    expect(await atBlue()).toContain('<mcpttgi:on-network-group-priority>7</mcpttgi:on-network-group-priority>');
    expect(await atBlue()).not.toContain('mcvideo');
    expect(served?.tag).not.toBe(original?.tag);
    expect(systems.blue.events).toMatchObject([{ changes: [{ groupId: group, tag: served?.tag }] }]);
    expect(await delivery()).toMatchObject({ state: 'delivered', attempts: 1, partnerTag: source?.tag });
    expect(await systems.red.journal('delivery-succeeded')).toMatchObject([
      { subject: group, detail: { partner: 'blue' } },
    ]);
    expect(await systems.blue.journal('provision-accepted')).toMatchObject([
      { subject: group, actor: 'sip:gms@red.example', detail: { partner: 'red', rules: 'our ceiling, no video here' } },
    ]);
  });

  test('the same group provided again is answered and causes no NOTIFY', async () => {
    await systems.red.putGroup('alpha');
    await systems.settle();
    await systems.red.interconnection.push('blue', group, 'operator');
    await systems.settle();
    expect(systems.red.sent).toHaveLength(2);
    expect(systems.blue.events).toHaveLength(1);
    expect(await delivery()).toMatchObject({ state: 'delivered', outcome: 'stored by the partner' });
  });

  test('a change that the policy hides is stored as source and causes no NOTIFY', async () => {
    await systems.red.putGroup('alpha', { services: ['mcptt', 'mcvideo'] });
    await systems.settle();
    const before = await systems.blue.documents.findSource(group);
    await systems.red.documents.put(
      systems.red.administrator,
      { auid: 'org.openmobilealliance.groups', tree: 'users', xui: 'sip:groups@red.example', name: 'alpha' },
      Buffer.from(
        Buffer.from(before?.bytes ?? [])
          .toString()
          .replace('</list>', '</list>\n    <mcpttgi:mcvideo-protect-media>false</mcpttgi:mcvideo-protect-media>'),
      ),
      {},
    );
    await systems.settle();
    expect((await systems.blue.documents.findSource(group))?.tag).not.toBe(before?.tag);
    expect(systems.blue.events).toHaveLength(1);
  });

  test("the partner's policy leaves the primary's own document unchanged", async () => {
    await systems.red.putGroup('alpha');
    const before = (await systems.red.documents.findGroup(group))?.tag;
    await systems.settle();
    expect((await systems.red.documents.findGroup(group))?.tag).toBe(before);
  });

  test('the primary deletes the group: the partner drops its copy and notifies', async () => {
    await systems.red.putGroup('alpha');
    await systems.settle();
    const tag = (await systems.blue.documents.findGroup(group))?.tag;
    await systems.red.deleteGroup('alpha');
    await systems.settle();
    expect(await atBlue()).toBeUndefined();
    expect(await systems.blue.documents.findSource(group)).toBeUndefined();
    expect(systems.blue.events.at(-1)?.changes).toEqual([
      expect.objectContaining({ groupId: group, previousTag: tag, tag: undefined }),
    ]);
    expect(await delivery()).toMatchObject({ action: 'withdraw', state: 'delivered', outcome: 'withdrawn' });
  });

  test('the last member of the partner leaves: the group is withdrawn, and provided again when one returns', async () => {
    await systems.red.putGroup('alpha');
    await systems.settle();
    await systems.red.putGroup('alpha', { members: ['sip:ines@red.example'] });
    await systems.settle();
    expect(await atBlue()).toBeUndefined();
    await systems.red.putGroup('alpha', { members: ['sip:ines@red.example', 'sip:omar@blue.example'] });
    await systems.settle();
    expect(await atBlue()).toBeDefined();
    expect(systems.red.sent.map(({ kind }) => kind)).toEqual(['provide', 'withdraw', 'provide']);
  });

  test('a member of the partner reads the derived document through its own GMS, a stranger does not', async () => {
    await systems.red.putGroup('alpha');
    await systems.settle();
    const seen = await systems.blue.interconnection.group(systems.blue.client('omar'), group);
    expect(Buffer.from(seen.bytes).toString()).toContain('on-network-group-priority');
    await expect(systems.blue.interconnection.group(systems.blue.client('eve'), group)).rejects.toMatchObject({
      code: 'forbidden',
    });
  });
});

describe('preconditions of provision (TS 23.280 10.2.7), each with its own refusal of a push', () => {
  const refused = (code: string) =>
    expect(systems.red.interconnection.push('blue', group, 'operator')).rejects.toMatchObject({ code });

  test('the group is defined in the primary system', async () => {
    systems = await open();
    await refused('group-not-homed-here');
  });

  test('one or more members are defined in the partner system', async () => {
    systems = await open();
    await systems.red.putGroup('alpha', { members: ['sip:ines@red.example'] });
    await refused('no-member-of-partner');
    expect(await delivery()).toBeUndefined();
  });

  test("the partner's address is configured", async () => {
    systems = await open({ xcapRoots: [] });
    await systems.red.putGroup('alpha');
    await refused('partner-not-addressed');
    await systems.settle();
    expect(await delivery()).toMatchObject({
      state: 'parked',
      outcome: expect.stringContaining('partner-not-addressed') as unknown,
    });
  });

  test('the primary is authorised to provide: the agreement covers the group', async () => {
    systems = await open({ agreement: {} });
    await systems.red.putGroup('alpha');
    await refused('agreement-does-not-cover');
    expect(await delivery()).toBeUndefined();
  });

  test('the primary is authorised to provide: the agreement is in force', async () => {
    systems = await open({ agreement: { ...primaryAgreement('red'), state: 'suspended' } });
    await systems.red.putGroup('alpha');
    await refused('agreement-not-active');
  });

  test('the partner is known', async () => {
    systems = await open();
    await expect(systems.red.interconnection.push('violet', group, 'operator')).rejects.toMatchObject({
      code: 'partner-unknown',
    });
  });

  test('a partner that pulls is not pushed to', async () => {
    systems = await open({ provide: 'none' });
    await systems.red.putGroup('alpha');
    await refused('partner-not-addressed');
    expect(systems.red.sent).toEqual([]);
  });

  test('a partner that pulls from now on gets nothing that was queued; what it was given is withdrawn when it ends', async () => {
    systems = await open({});
    for (const name of ['alpha', 'beta']) await systems.red.putGroup(name);
    await systems.settle();
    systems.red.link = () => 'down';
    await systems.red.putGroup('alpha', { name: 'changed' });
    await systems.settle();
    systems.red.link = () => 'none';
    systems.red.sent.length = 0;
    systems.red.reload({ partners: { blue: { agreement: primaryAgreement('red'), provide: 'none' } } });
    await systems.advance(60);
    expect(systems.red.sent).toEqual([]);
    expect(await systems.red.store.delivery('blue', group)).toMatchObject({ state: 'parked' });
    await systems.red.deleteGroup('alpha');
    await systems.settle();
    expect(systems.red.sent).toMatchObject([{ kind: 'withdraw', groupId: group }]);
    expect(await systems.blue.store.source(group)).toBeUndefined();
    const beta = { weProvide: [], theyRequest: [] };
    systems.red.reload({ partners: { blue: { agreement: beta, provide: 'none' } } });
    await systems.settle();
    expect((await systems.blue.store.sources()).map(({ groupId }) => groupId)).toEqual([]);
  });
});

describe('what leaves is what the outbound policy and the agreement let leave', () => {
  test('services of the agreement restrict in both directions', async () => {
    systems = await open(
      { agreement: { weProvide: [{ groups: 'sip:*@red.example', services: ['mcptt', 'mcdata'] }] } },
      { agreement: { theyProvide: [{ groups: 'sip:*@red.example', services: ['mcptt'] }] } },
    );
    await systems.red.putGroup('alpha', { services: ['mcptt', 'mcvideo', 'mcdata'] });
    await systems.settle();
    const source = Buffer.from((await systems.blue.documents.findSource(group))?.bytes ?? []).toString();
    expect(source).not.toContain('mcvideo');
    expect(source).toContain('icsi.mcdata');
    expect(await atBlue()).not.toContain('icsi.mcdata');
  });

  test('an outbound policy that refuses parks the delivery, visible to the operator', async () => {
    systems = await open({
      outbound: '  - { name: owned, require: { select: //mcpttgi:owner, otherwise: group without owner } }',
    });
    await systems.red.putGroup('alpha');
    await systems.settle();
    expect(systems.red.sent).toEqual([]);
    expect(await delivery()).toMatchObject({
      state: 'parked',
      outcome: 'constraint-failure: policy rule "owned": group without owner',
    });
    expect(await systems.red.journal('delivery-refused')).toHaveLength(1);
  });

  test('transit is refused: a foreign group is never provided on', async () => {
    systems = await openSystems({
      red: { partners: { blue: { agreement: primaryAgreement('red') } } },
      blue: {
        partners: {
          red: { agreement: partnerAgreement('red') },
          green: { agreement: { weProvide: [{ groups: '*' }], theyRequest: [{ groups: '*' }] } },
        },
      },
      green: { partners: { blue: { agreement: { theyProvide: [{ groups: '*' }], weRequest: [{ groups: '*' }] } } } },
    });
    await systems.red.putGroup('alpha', { members: ['sip:omar@blue.example', 'sip:amira@green.example'] });
    await systems.settle();
    expect(await atBlue()).toBeDefined();
    expect(systems.blue.sent).toEqual([]);
    await expect(systems.blue.interconnection.push('green', group, 'operator')).rejects.toMatchObject({
      code: 'group-not-homed-here',
    });
    await expect(systems.blue.interconnection.groupForPartner(systems.green.asPartner, group)).rejects.toMatchObject({
      code: 'group-not-homed-here',
    });
  });
});
