// Outside the patterns of the agreement a partner gets one answer, and the same work is done for it whether the group exists or not.
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { closeSchemas, refusalOf } from '../documents/documents.testkit.ts';
import { openSystems, type Systems } from './interconnect.testkit.ts';

let systems: Systems;
let asked: string[];
beforeEach(async () => {
  const only = [{ groups: 'sip:shared-*@red.example' }];
  systems = await openSystems({
    red: { partners: { blue: { agreement: { weProvide: only, theyRequest: only } } } },
    blue: { partners: { red: { agreement: { theyProvide: only, weRequest: only } } } },
  });
  for (const name of ['shared-1', 'secret-1']) await systems.red.putGroup(name);
  await systems.settle();
  asked = [];
  for (const system of [systems.red, systems.blue]) {
    for (const name of ['findGroup', 'findSource', 'checkGroup'] as const) watch(system.documents, name);
    for (const name of ['document', 'groupDocument', 'source', 'delivery'] as const) watch(system.store, name);
  }
});
afterEach(() => systems.close());
afterAll(closeSchemas);

/** Notes every call, so that work that differs is seen without a clock. */
function watch<Name extends string>(room: { readonly [name in Name]: unknown }, name: Name): void {
  const method = room[name] as (...values: unknown[]) => unknown;
  Object.defineProperty(room, name, {
    configurable: true,
    value: (...values: unknown[]) => {
      asked.push(name);
      return method.apply(room, values);
    },
  });
}

async function told(work: Promise<unknown>): Promise<object> {
  const { code, phrase, detail } = await refusalOf(work);
  return { code, phrase, cause: detail.cause };
}

const from = () => systems.blue.asPartner;

test('a read: a group that exists and one that does not are told alike, and neither is looked for', async () => {
  const exists = await told(systems.red.interconnection.groupForPartner(from(), 'sip:secret-1@red.example'));
  const absent = await told(systems.red.interconnection.groupForPartner(from(), 'sip:secret-2@red.example'));
  expect(exists).toEqual(absent);
  expect(exists).toMatchObject({ code: 'not-found' });
  expect(asked).toEqual([]);
  await systems.red.interconnection.groupForPartner(from(), 'sip:shared-1@red.example');
  expect(asked).not.toEqual([]);
});

test('a write and a withdrawal: forbidden, whatever is stored, before the body is asked for', async () => {
  const body = (): Promise<Uint8Array> => {
    throw new Error('the body was asked for');
  };
  const at = systems.blue.interconnection;
  const red = systems.red.asPartner;
  const refused = [
    await told(at.acceptProvision(red, 'sip:secret-1@red.example', body, {})),
    await told(at.acceptProvision(red, 'sip:other@green.example', body, {})),
    await told(at.acceptWithdrawal(red, 'sip:secret-1@red.example', {})),
    await told(at.acceptWithdrawal(red, 'sip:nothing@red.example', {})),
  ];
  expect(new Set(refused.map((one) => JSON.stringify(one))).size).toBe(1);
  expect(refused[0]).toMatchObject({ code: 'forbidden', cause: 'agreement-does-not-cover' });
  expect(asked).toEqual([]);
});

test('a copy of its own group is no way around: outside the patterns nothing is looked for', async () => {
  expect(
    await systems.blue.interconnection.copyForPartner(systems.red.asPartner, 'sip:secret-1@red.example'),
  ).toBeUndefined();
  expect(
    await systems.blue.interconnection.copyForPartner(systems.red.asPartner, 'sip:any@blue.example'),
  ).toBeUndefined();
  expect(asked).toEqual([]);
});

test('the directory lists what the agreement covers, and nothing while it is not in force', async () => {
  const listed = async (): Promise<readonly string[]> =>
    (await systems.red.interconnection.directoryForPartner(from())).map(({ groupId }) => groupId);
  expect(await listed()).toEqual(['sip:shared-1@red.example']);
  const only = [{ groups: 'sip:shared-*@red.example' }];
  systems.red.reload({ partners: { blue: { agreement: { state: 'suspended', weProvide: only, theyRequest: only } } } });
  expect(await listed()).toEqual([]);
});
