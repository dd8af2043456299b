import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { closeSchemas, groupDocument, refusalOf } from '../documents/documents.testkit.ts';
import { Refusal } from '../refusals.ts';
import { openSystems, type PartnerSketch, partnerAgreement, type Systems } from './interconnect.testkit.ts';

const group = 'sip:alpha@red.example';
const body = groupDocument({ members: ['sip:omar@blue.example'] });

let systems: Systems;
afterEach(() => systems.close());
afterAll(closeSchemas);

async function open(red: Partial<PartnerSketch> = {}): Promise<void> {
  systems = await openSystems({
    blue: {
      partners: { red: { agreement: partnerAgreement('red'), ...red }, green: { agreement: partnerAgreement('red') } },
    },
  });
}

/** Provides to blue; resolves with the refusal, having seen that nothing was stored and nobody told. */
async function refusedProvision(
  from: 'red' | 'green' = 'red',
  groupId = group,
  bytes: Uint8Array = body,
): Promise<{ readonly code: string; readonly phrase: string; readonly cause: unknown }> {
  const refusal = await refusalOf(
    systems.blue.interconnection.acceptProvision(systems[from].asPartner, groupId, bytes, {}),
  );
  expect(await systems.blue.store.sources()).toEqual([]);
  expect(await systems.blue.documents.list({ groups: true })).toEqual([]);
  expect(systems.blue.events).toEqual([]);
  const journal = await systems.blue.journal('provision-refused');
  expect(journal).toHaveLength(1);
  expect(journal[0]).toMatchObject({ actor: systems[from].asPartner.identity, detail: { partner: from } });
  return { code: refusal.code, phrase: refusal.phrase, cause: journal[0]?.detail?.cause };
}

test('a provision that was sent before a withdrawal brings nothing back; sent again without condition it does', async () => {
  await open();
  const give = (second: number, ifNoneMatch?: '*') =>
    systems.blue.interconnection.acceptProvision(
      systems.red.asPartner,
      group,
      body,
      { ifNoneMatch },
      `2026-01-02T03:04:0${second}.000Z`,
    );
  await give(1, '*');
  await systems.blue.interconnection.acceptWithdrawal(systems.red.asPartner, group, {}, '2026-01-02T03:04:02.000Z');
  for (const [second, condition] of [
    [1, '*'],
    [1, undefined],
    [2, '*'],
  ] as const) {
    expect((await refusalOf(give(second, condition))).code).toBe('precondition-failed');
  }
  expect(await systems.blue.store.sources()).toEqual([]);
  expect(await give(2)).toMatchObject({ created: true });
});

test('a withdrawal that was held up on its way does not remove what was provided after it', async () => {
  await open();
  const at = (second: number): string => `2026-01-02T03:04:0${second}.000Z`;
  const withdraw = (second: number) =>
    systems.blue.interconnection.acceptWithdrawal(systems.red.asPartner, group, {}, at(second));
  await systems.blue.interconnection.acceptProvision(systems.red.asPartner, group, body, {}, at(3));
  expect((await refusalOf(withdraw(2))).code).toBe('precondition-failed');
  expect(await systems.blue.store.sources()).toHaveLength(1);
  expect(await systems.blue.journal('withdrawal-refused')).toHaveLength(1);
  await withdraw(3);
  expect(await systems.blue.store.sources()).toEqual([]);
});

test('RFC 9110 13.1.1: a withdrawal whose If-Match fails keeps nothing away that was sent before it', async () => {
  await open();
  const at = (second: number): string => `2026-01-02T03:04:0${second}.000Z`;
  const give = (bytes: Uint8Array, second: number) =>
    systems.blue.interconnection.acceptProvision(systems.red.asPartner, group, bytes, {}, at(second));
  await give(body, 1);
  const withdrawn = systems.blue.interconnection.acceptWithdrawal(
    systems.red.asPartner,
    group,
    { ifMatch: ['another'] },
    at(5),
  );
  expect((await refusalOf(withdrawn)).code).toBe('precondition-failed');
  expect(await systems.blue.journal('withdrawal-refused')).toHaveLength(1);
  expect(await systems.blue.journal('document-delete')).toEqual([]);
  const newer = groupDocument({ name: 'newer', members: ['sip:omar@blue.example'] });
  expect(await give(newer, 3)).toMatchObject({ changed: true });
});

test('of two withdrawals the later one counts, in whatever order they come', async () => {
  await open();
  const at = (second: number): string => `2026-01-02T03:04:0${second}.000Z`;
  for (const second of [4, 2]) {
    const withdrawn = systems.blue.interconnection.acceptWithdrawal(systems.red.asPartner, group, {}, at(second));
    expect((await refusalOf(withdrawn)).code).toBe('not-found');
  }
  const late = systems.blue.interconnection.acceptProvision(systems.red.asPartner, group, body, {}, at(3));
  expect((await refusalOf(late)).code).toBe('precondition-failed');
});

describe('content that was sent before what is held', () => {
  const at = (second: number): string => `2026-01-02T03:04:0${second}.000Z`;
  const give = (name: string, sent?: string) =>
    systems.blue.interconnection.acceptProvision(
      systems.red.asPartner,
      group,
      groupDocument({ name, members: ['sip:omar@blue.example'] }),
      {},
      sent,
    );
  const held = async (): Promise<string> =>
    Buffer.from((await systems.blue.store.source(group))?.bytes ?? []).toString();

  test('a replayed older PUT after a newer one is 412 and changes nothing; newer and equal times are taken', async () => {
    await open();
    await give('one', at(1));
    await give('two', at(3));
    expect((await refusalOf(give('one', at(1)))).code).toBe('precondition-failed');
    expect(await held()).toContain('two');
    expect(await give('two', at(1))).toMatchObject({ changed: false });
    expect((await refusalOf(give('one', at(2)))).code).toBe('precondition-failed');
    await give('three', at(3));
    await give('one', at(4));
    expect(await held()).toContain('one');
  });

  test('without times, or after a clock that was far ahead, the last one counts', async () => {
    await open();
    await give('one', '2026-01-03T00:00:00.000Z');
    await give('two', at(1));
    expect(await held()).toContain('two');
    await give('three');
    await give('four', at(1));
    expect(await held()).toContain('four');
  });
});

describe('a provision is accepted from the primary under the agreement only', () => {
  test('group not in the agreed list: 403, nothing stored, no NOTIFY; the cause is in the journal alone', async () => {
    await open({ agreement: { theyProvide: [{ groups: 'sip:harbour-*@red.example' }] } });
    expect(await refusedProvision()).toEqual({
      code: 'forbidden',
      phrase: 'The caller has no right to do this',
      cause: 'agreement-does-not-cover',
    });
  });

  test('the body is not asked for when the sender may not provide the group', async () => {
    await open({ agreement: { theyProvide: [{ groups: 'sip:harbour-*@red.example' }] } });
    let asked = 0;
    const bring = async (): Promise<Uint8Array> => {
      asked++;
      return body;
    };
    const { acceptProvision } = systems.blue.interconnection;
    const provide = acceptProvision.bind(systems.blue.interconnection, systems.red.asPartner);
    expect((await refusalOf(provide(group, bring, {}))).code).toBe('forbidden');
    expect(asked).toBe(0);
    systems.blue.reload({ partners: { red: { agreement: partnerAgreement('red') } } });
    expect(await provide(group, bring, {})).toMatchObject({ created: true });
    expect(asked).toBe(1);
  });

  test('a body that is refused, too large or of another type, is told in the journal; one that breaks off is not', async () => {
    await open();
    const give = (error: Error) =>
      systems.blue.interconnection.acceptProvision(systems.red.asPartner, group, () => Promise.reject(error), {});
    await expect(give(new Error('the connection broke'))).rejects.toThrow('the connection broke');
    expect(await systems.blue.journal('provision-refused')).toEqual([]);
    for (const code of ['document-too-large', 'unsupported-media-type'] as const) {
      expect((await refusalOf(give(new Refusal(code)))).code).toBe(code);
    }
    const told = await systems.blue.journal('provision-refused');
    expect(told.map(({ subject, detail }) => [subject, detail?.code])).toEqual([
      [group, 'document-too-large'],
      [group, 'unsupported-media-type'],
    ]);
  });

  test('an agreement that ends while the body comes ends the provision', async () => {
    await open();
    const late = async (): Promise<Uint8Array> => {
      systems.blue.reload({ partners: { red: { agreement: {} } } });
      return body;
    };
    const refusal = await refusalOf(
      systems.blue.interconnection.acceptProvision(systems.red.asPartner, group, late, {}),
    );
    expect(refusal.code).toBe('forbidden');
    expect(await systems.blue.store.sources()).toEqual([]);
  });

  test('the answer outside the agreement is the same whether the group exists or not', async () => {
    await open();
    await systems.blue.interconnection.acceptProvision(systems.red.asPartner, group, body, {});
    const blue = { red: { agreement: {} } };
    systems.blue.reload({ partners: blue });
    const answers = await Promise.all(
      [group, 'sip:nothing@red.example'].map((one) =>
        refusalOf(systems.blue.interconnection.acceptWithdrawal(systems.red.asPartner, one, {})),
      ),
    );
    expect(answers.map(({ code, phrase }) => [code, phrase])).toEqual(
      Array(2).fill(['forbidden', 'The caller has no right to do this']),
    );
    expect(await systems.blue.documents.findGroup(group)).toBeDefined();
  });

  const states = [
    [{ state: 'suspended' }, 'The agreement with the partner is suspended'],
    [{ state: 'dormant' }, 'The agreement with the partner is dormant'],
    [{ validFrom: '2026-02-01T00:00:00Z' }, 'The agreement with the partner is not yet valid'],
    [{ validUntil: '2026-01-01T00:00:00Z' }, 'The agreement with the partner is no longer valid'],
  ] as const;
  test.each(states)('inside the patterns the state is told: %j', async (state, phrase) => {
    await open({ agreement: { ...partnerAgreement('red'), ...state } });
    expect(await refusedProvision()).toMatchObject({ code: 'agreement-not-active', phrase });
  });

  test("the group ID's host is neither system: the sender is not authoritative for it", async () => {
    await open({ agreement: { theyProvide: [{ groups: 'sip:*' }] } });
    const violet = 'sip:g@violet.example';
    expect(await refusedProvision('red', violet, groupDocument({ uri: violet }))).toMatchObject({
      code: 'partner-not-authoritative',
    });
  });

  test('a group of another partner is refused, even where the agreement names it: no transit', async () => {
    await open();
    expect(await refusedProvision('green')).toMatchObject({ code: 'partner-not-authoritative' });
  });

  test('a group of our own is refused', async () => {
    await open({ agreement: { theyProvide: [{ groups: 'sip:*' }] } });
    const own = 'sip:g@blue.example';
    expect(await refusedProvision('red', own, groupDocument({ uri: own }))).toMatchObject({
      code: 'partner-not-authoritative',
    });
  });

  test('a group ID that is no URI is refused', async () => {
    await open({ agreement: { theyProvide: [{ groups: '*' }] } });
    expect(await refusedProvision('red', 'nonsense')).toMatchObject({ code: 'forbidden' });
  });

  test('a partner that is configured no more is refused', async () => {
    await open();
    systems.blue.reload({ partners: {} });
    expect(await refusedProvision()).toEqual({
      code: 'forbidden',
      phrase: 'The caller has no right to do this',
      cause: 'partner-unknown',
    });
  });
});

describe('a provision must be the valid document of the addressed group', () => {
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ['not well-formed', Buffer.from('<group'), 'not-well-formed'],
    ['not UTF-8', Buffer.concat([body, Buffer.from([0xff])]), 'not-utf-8'],
    ['another group', groupDocument({ uri: 'sip:beta@red.example' }), 'uniqueness-failure'],
    ['two groups', groupDocument({ uri: group }, { uri: 'sip:beta@red.example' }), 'constraint-failure'],
    [
      'a broken schema',
      Buffer.from(Buffer.from(body).toString().replace('<display-name>', '<m/><display-name>')),
      'schema-validation-error',
    ],
  ];
  test.each(cases)('%s', async (_, bytes, code) => {
    await open();
    expect(await refusedProvision('red', group, bytes)).toMatchObject({ code });
  });
});

describe('policy decides what is stored', () => {
  test('a failed require answers with its phrase', async () => {
    await open({
      inbound: '  - { name: owned, require: { select: //mcpttgi:owner, otherwise: group without owner } }',
    });
    expect(await refusedProvision()).toEqual({
      code: 'constraint-failure',
      phrase: 'group without owner',
      cause: 'policy rule "owned": group without owner',
    });
  });

  test('a policy that breaks the schema refuses and says which rule did it', async () => {
    await open({
      inbound: `  - { name: fine, clamp: { priority: [mcptt], min: 7 } }
  - { name: clumsy, insert: { into: //g:list-service, element: '<g:display-name>again</g:display-name>' } }
  - { name: late, set: { select: //mcpttgi:on-network-group-priority, value: 8 } }`,
    });
    const { code, phrase } = await refusedProvision();
    expect(code).toBe('constraint-failure');
    expect(phrase).toMatch(/^The policy rule "clumsy" leaves a document that is not valid: /);
  });

  test('a rule that would rename the group refuses even with endToEnd', async () => {
    await open({
      inbound: "  - { name: ours, endToEnd: true, set: { select: //g:list-service/@uri, value: 'sip:x@red.example' } }",
    });
    expect((await refusedProvision()).phrase).toMatch(/^The policy rule "ours" leaves/);
  });

  test('a refused update leaves what was stored before', async () => {
    await open({ inbound: "  - { name: few, require: { select: 'count(//g:entry) < 2', otherwise: too many } }" });
    const from = systems.red.asPartner;
    const first = await systems.blue.interconnection.acceptProvision(from, group, body, {});
    const more = groupDocument({ members: ['sip:omar@blue.example', 'sip:lena@blue.example'] });
    await expect(systems.blue.interconnection.acceptProvision(from, group, more, {})).rejects.toMatchObject({
      message: 'too many',
    });
    expect((await systems.blue.documents.findSource(group))?.tag).toBe(first.tag);
    expect(systems.blue.events).toHaveLength(1);
  });
});

describe('preconditions compare the tag of the source, whatever policy made of it', () => {
  test('created, replaced, and a replayed older content is refused where the sender says what it replaces', async () => {
    await open({ inbound: '  - { name: floor, clamp: { priority: [mcptt], min: 7 } }' });
    const { interconnection } = systems.blue;
    const from = systems.red.asPartner;
    const first = await interconnection.acceptProvision(from, group, body, { ifNoneMatch: '*' });
    expect(first).toMatchObject({ created: true, changed: true });
    const newer = groupDocument({ members: ['sip:omar@blue.example', 'sip:lena@blue.example'] });
    const second = await interconnection.acceptProvision(from, group, newer, { ifMatch: [first.tag] });
    expect(second).toMatchObject({ created: false, changed: true });
    await expect(interconnection.acceptProvision(from, group, body, { ifMatch: [first.tag] })).rejects.toMatchObject({
      code: 'precondition-failed',
    });
    expect((await systems.blue.documents.findSource(group))?.tag).toBe(second.tag);
  });

  test('provisions of one group are stored in the order in which they came', async () => {
    await open();
    const { interconnection } = systems.blue;
    const large = groupDocument({ members: Array.from({ length: 3000 }, (_, i) => `sip:u${i}@blue.example`) });
    const outcomes = await Promise.all([
      interconnection.acceptProvision(systems.red.asPartner, group, large, {}),
      interconnection.acceptProvision(systems.red.asPartner, group, body, {}),
    ]);
    expect((await systems.blue.documents.findSource(group))?.tag).toBe(outcomes[1]?.tag);
  });
});

describe('a withdrawal', () => {
  test('of a group that is not here is told so inside the agreement', async () => {
    await open();
    await expect(systems.blue.interconnection.acceptWithdrawal(systems.red.asPartner, group, {})).rejects.toMatchObject(
      {
        code: 'not-found',
      },
    );
    expect(await systems.blue.journal('withdrawal-refused')).toHaveLength(1);
  });

  test("of another partner's group is refused", async () => {
    await open();
    await systems.blue.interconnection.acceptProvision(systems.red.asPartner, group, body, {});
    await expect(
      systems.blue.interconnection.acceptWithdrawal(systems.green.asPartner, group, {}),
    ).rejects.toMatchObject({
      code: 'partner-not-authoritative',
    });
    expect(await systems.blue.documents.findGroup(group)).toBeDefined();
  });
});
