import { afterAll, afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { closeSchemas, refusalOf } from '../documents/documents.testkit.ts';
import {
  openSystems,
  type PartnerSketch,
  partnerAgreement,
  primaryAgreement,
  type Systems,
} from './interconnect.testkit.ts';

const group = 'sip:alpha@red.example';

let systems: Systems;
afterEach(async () => {
  jest.restoreAllMocks();
  await systems.close();
});
afterAll(closeSchemas);

/** Red gives on request only; blue holds nothing yet. */
async function open(blue: Partial<PartnerSketch> = {}, red: Partial<PartnerSketch> = {}): Promise<void> {
  systems = await openSystems({
    red: { partners: { blue: { agreement: { theyRequest: [{ groups: 'sip:*@red.example' }] }, ...red } } },
    blue: { partners: { red: { agreement: partnerAgreement('red'), ...blue } } },
  });
  await systems.red.putGroup('alpha', { services: ['mcptt', 'mcvideo'] });
  await systems.settle();
}

const asServer = () => systems.blue.interconnection.group(systems.blue.server, group);
const requests = () => systems.blue.sent.length;

describe('TS 23.280 10.2.7, partner MC system requests group configuration from the primary MC system', () => {
  beforeEach(() => open({ inbound: '  - { name: no video here, services: { drop: [mcvideo] } }' }));

  test('the MC service server asks, the primary provides, the partner modifies, stores and notifies', async () => {
    const answer = await asServer();
    expect(Buffer.from(answer.bytes).toString()).not.toContain('mcvideo');
    const source = await systems.blue.documents.findSource(group);
    expect(Buffer.from(source?.bytes ?? []).toString()).toContain('mcvideo');
    expect(source).toMatchObject({ partner: 'red', policy: 'from-red', appliedRules: ['no video here'] });
    expect(source?.primaryTag).toBe((await systems.red.documents.findGroup(group))?.tag);
    expect(systems.blue.events).toMatchObject([{ changes: [{ groupId: group }] }]);
    expect(await systems.blue.journal('group-fetched')).toMatchObject([
      { actor: 'sip:mcptt@blue.example', subject: group, detail: { partner: 'red' } },
    ]);
  });

  test('once stored, the primary is not asked again', async () => {
    await asServer();
    await asServer();
    expect(requests()).toBe(1);
  });

  test('an administrator triggers the request too, a client does not', async () => {
    await expect(systems.blue.interconnection.group(systems.blue.client('omar'), group)).rejects.toMatchObject({
      code: 'not-found',
    });
    expect(requests()).toBe(0);
    const limited = { ...systems.blue.administrator, groups: ['sip:harbour-*@red.example'] };
    await expect(systems.blue.interconnection.group(limited, group)).rejects.toMatchObject({ code: 'not-found' });
    expect(requests()).toBe(0);
    await systems.blue.interconnection.group(systems.blue.administrator, group);
    expect(requests()).toBe(1);
    expect(await systems.blue.documents.findGroup(group)).toBeDefined();
  });

  test('concurrent triggers share one request', async () => {
    const gate = Promise.withResolvers<'none'>();
    systems.blue.link = () => gate.promise;
    const askers = Array.from({ length: 20 }, asServer);
    gate.resolve('none');
    const tags = new Set((await Promise.all(askers)).map(({ tag }) => tag));
    expect([requests(), tags.size]).toEqual([1, 1]);
  });

  test('other spellings of the group ID are the same group', async () => {
    await systems.blue.interconnection.group(systems.blue.server, 'SIP:%61lpha@RED.example');
    await asServer();
    expect(requests()).toBe(1);
  });
});

describe('preconditions of the request (TS 23.280 10.2.7), each with its own refusal', () => {
  const cases: readonly (readonly [string, Partial<PartnerSketch>, string])[] = [
    [
      'the partner is authorised to request: the agreement covers the group',
      { agreement: {} },
      'agreement-does-not-cover',
    ],
    [
      'the partner is authorised to request: the agreement is in force',
      { agreement: { ...partnerAgreement('red'), state: 'suspended' } },
      'agreement-not-active',
    ],
    ["the primary's address is configured", { xcapRoots: [] }, 'partner-not-addressed'],
  ];
  test.each(cases)('%s', async (_, blue, code) => {
    await open(blue);
    for (const ask of [asServer, () => systems.blue.interconnection.pull(group, 'operator')]) {
      expect((await refusalOf(ask())).code).toBe(code);
    }
    expect(requests()).toBe(0);
  });

  test('the home of the group is a partner', async () => {
    await open();
    const violet = 'sip:g@violet.example';
    await expect(systems.blue.interconnection.group(systems.blue.server, violet)).rejects.toMatchObject({
      code: 'partner-unknown',
    });
    await expect(systems.blue.interconnection.pull('sip:g@sub.red.example', 'operator')).rejects.toMatchObject({
      code: 'partner-unknown',
    });
  });

  test('a group of our own is never asked for elsewhere', async () => {
    await open();
    const own = 'sip:g@blue.example';
    await expect(systems.blue.interconnection.group(systems.blue.server, own)).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(systems.blue.interconnection.pull(own, 'operator')).rejects.toMatchObject({ code: 'bad-request' });
  });
});

describe('answers other than the group', () => {
  test('unknown at the primary: 404, remembered for a few seconds, then asked again', async () => {
    await open();
    const nothing = 'sip:nothing@red.example';
    const ask = () => refusalOf(systems.blue.interconnection.group(systems.blue.server, nothing));
    expect([(await ask()).code, (await ask()).code, requests()]).toEqual(['not-found', 'not-found', 1]);
    const later = Date.now() + 4000;
    jest.spyOn(Date, 'now').mockImplementation(() => later);
    expect([(await ask()).code, requests()]).toEqual(['not-found', 2]);
  });

  test('unreachable: 504, the true reason in the journal', async () => {
    await open();
    systems.blue.link = () => 'down';
    const refusal = await refusalOf(asServer());
    expect([refusal.code, refusal.row.status]).toEqual(['partner-unreachable', 504]);
    expect(await systems.blue.journal('fetch-failed')).toMatchObject([{ detail: { cause: 'no connection' } }]);
  });

  test('refused by the primary: 502', async () => {
    await open({}, { agreement: { theyRequest: [{ groups: 'sip:*@red.example' }], state: 'suspended' } });
    expect((await refusalOf(asServer())).code).toBe('partner-refused');
  });

  test('no answer in time: 504 to who waits, and what comes later is stored all the same', async () => {
    await open();
    const gate = Promise.withResolvers<'none'>();
    systems.blue.link = () => gate.promise;
    const waiting = refusalOf(asServer());
    await Promise.resolve();
    while (systems.blue.sent.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await systems.advance(10);
    expect((await waiting).code).toBe('partner-unreachable');
    const stored = Promise.withResolvers<void>();
    systems.blue.documents.onChange(() => stored.resolve());
    gate.resolve('none');
    await stored.promise;
    expect(await systems.blue.documents.findGroup(group)).toBeDefined();
  });

  test('a document that policy or checks refuse is not stored', async () => {
    await open({
      inbound: '  - { name: owned, require: { select: //mcpttgi:owner, otherwise: group without owner } }',
    });
    expect(await refusalOf(asServer())).toMatchObject({ code: 'constraint-failure', message: 'group without owner' });
    expect(await systems.blue.store.sources()).toEqual([]);
  });

  test('a provision that overtakes the request wins', async () => {
    await open();
    const gate = Promise.withResolvers<'none'>();
    systems.blue.link = () => gate.promise;
    const asked = asServer();
    const newer = Buffer.from(
      Buffer.from((await systems.red.documents.findGroup(group))?.bytes ?? [])
        .toString()
        .replace('Alpha', 'Newer'),
    );
    const { tag } = await systems.blue.interconnection.acceptProvision(systems.red.asPartner, group, newer, {});
    gate.resolve('none');
    expect(Buffer.from((await asked).bytes).toString()).toContain('Newer');
    expect((await systems.blue.documents.findSource(group))?.tag).toBe(tag);
  });
});

describe('an operator pulls', () => {
  beforeEach(() => open());
  const pull = () => systems.blue.interconnection.pull(group, 'operator');

  test('stored, then unchanged on the tag it holds, then stored again when it changed', async () => {
    expect(await pull()).toMatchObject({ outcome: 'stored', changed: true });
    expect(await pull()).toEqual({ outcome: 'unchanged' });
    await systems.red.putGroup('alpha', { name: 'Newer' });
    expect(await pull()).toMatchObject({ outcome: 'stored', changed: true });
    expect(systems.blue.events).toHaveLength(2);
  });

  test('removed when the primary does not give it any more', async () => {
    await pull();
    await systems.red.deleteGroup('alpha');
    expect(await pull()).toEqual({ outcome: 'removed' });
    expect(await systems.blue.documents.findGroup(group)).toBeUndefined();
  });

  test('a failure is not remembered against an operator', async () => {
    systems.blue.link = () => 'down';
    await refusalOf(pull());
    systems.blue.link = () => 'none';
    expect(await pull()).toMatchObject({ outcome: 'stored' });
  });
});

describe("the primary's answer", () => {
  const view = (from = systems.blue.asPartner, id = group) => systems.red.interconnection.groupForPartner(from, id);

  test('is what the outbound policy lets leave, with a tag of its own', async () => {
    await open({}, { outbound: '  - { name: no video, services: { drop: [mcvideo] } }' });
    const answer = await view();
    expect(Buffer.from(answer.bytes).toString()).not.toContain('mcvideo');
    expect(answer.tag).not.toBe((await systems.red.documents.findGroup(group))?.tag);
    expect((await view()).bytes).toBe(answer.bytes);
    await systems.red.putGroup('alpha', { name: 'Newer' });
    expect((await view()).tag).not.toBe(answer.tag);
  });

  test('outside the agreement is one uniform 404, whether the group exists or not', async () => {
    await open({}, { agreement: { theyRequest: [{ groups: 'sip:harbour-*@red.example' }] } });
    const answers = await Promise.all([
      refusalOf(view()),
      refusalOf(view(systems.blue.asPartner, 'sip:nothing@red.example')),
      refusalOf(view(systems.green.asPartner)),
    ]);
    expect(answers.map(({ code, phrase }) => [code, phrase])).toEqual(Array(3).fill(['not-found', 'No such resource']));
    const journal = await systems.red.journal('request-refused');
    expect(journal.map(({ actor, detail }) => [actor, detail?.cause]).sort()).toEqual([
      ['sip:gms@blue.example', 'agreement-does-not-cover'],
      ['sip:gms@blue.example', 'agreement-does-not-cover'],
      ['sip:gms@green.example', 'partner-unknown'],
    ]);
  });

  test('inside the agreement tells why', async () => {
    await open({}, { agreement: { ...primaryAgreement('red'), validUntil: '2026-01-01T00:00:00Z' } });
    expect((await refusalOf(view())).code).toBe('agreement-not-active');
    systems.red.reload({ partners: { blue: { agreement: primaryAgreement('red') } } });
    expect((await refusalOf(view(systems.blue.asPartner, 'sip:nothing@red.example'))).code).toBe(
      'group-not-homed-here',
    );
  });

  test('what the outbound policy withholds is forbidden, the reason in our journal alone', async () => {
    await open(
      {},
      { outbound: '  - { name: owned, require: { select: //mcpttgi:owner, otherwise: group without owner } }' },
    );
    expect(await refusalOf(view())).toMatchObject({
      code: 'forbidden',
      message: 'The caller has no right to do this',
    });
    expect(await systems.red.journal('request-refused')).toMatchObject([
      { detail: { cause: 'outbound policy: constraint-failure: policy rule "owned": group without owner' } },
    ]);
  });

  test('a partner that keeps asking fills no journal', async () => {
    await open({}, { agreement: {} });
    for (let i = 0; i < 5; i++) await refusalOf(view());
    expect(await systems.red.journal('request-refused')).toHaveLength(1);
    await systems.advance(60);
    await refusalOf(view());
    expect(await systems.red.journal('request-refused')).toHaveLength(2);
  });

  test('groupsForPartner names our groups of the agreement', async () => {
    await open(
      {},
      { agreement: { theyRequest: [{ groups: 'sip:a*@red.example' }], weProvide: [{ groups: 'sip:b*@red.example' }] } },
    );
    await systems.red.putGroup('beta');
    await systems.red.putGroup('gamma');
    const groups = await systems.red.interconnection.groupsForPartner(systems.blue.asPartner);
    expect([...groups].sort()).toEqual([group, 'sip:beta@red.example']);
    expect(await systems.red.interconnection.groupsForPartner(systems.green.asPartner)).toEqual([]);
  });
});
