// What refusals towards partners cost the journal and the memory of the primary.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Preconditions } from '../documents/documents.ts';
import { Refusal } from '../refusals.ts';
import type { JournalRecord } from '../store/store.ts';
import { openSystems, primaryAgreement, type Systems } from './interconnect.testkit.ts';

let systems: Systems;
beforeEach(async () => {
  systems = await openSystems({
    red: { partners: { blue: { agreement: primaryAgreement('red') }, green: { agreement: {} } } },
  });
});
afterEach(() => systems.close());

async function refused(work: Promise<unknown>): Promise<void> {
  await expect(work).rejects.toBeInstanceOf(Refusal);
}

const ask = (from: 'blue' | 'green', groupId: string): Promise<void> =>
  refused(systems.red.interconnection.groupForPartner(systems[from].asPartner, groupId));

async function rows(): Promise<readonly JournalRecord[]> {
  const actions = ['request-refused', 'provision-refused', 'withdrawal-refused', 'refusals-counted'];
  return (await systems.red.store.journal()).filter(({ action }) => actions.includes(action));
}

test('5,000 requests for distinct groups of 1.5 kB are ten rows and, after a minute, one count', async () => {
  const long = 'x'.repeat(1500);
  for (let i = 0; i < 5000; i++) await ask('blue', `sip:${i}-${long}@other.example`);
  expect(await rows()).toHaveLength(10);
  await systems.advance(60);
  const all = await rows();
  expect(all).toHaveLength(11);
  expect(all.at(-1)).toMatchObject({
    actor: 'sip:gms@blue.example',
    action: 'refusals-counted',
    subject: 'refusals:blue',
    detail: { partner: 'blue', refused: 'request-refused', cause: 'agreement-does-not-cover', count: 4990 },
  });
  for (const { subject, detail } of all) expect(`${subject}${JSON.stringify(detail)}`.length).toBeLessThan(600);
});

test('after the minute refusals are told one by one again', async () => {
  for (let i = 0; i < 20; i++) await ask('blue', `sip:a${i}@other.example`);
  await systems.advance(60);
  await ask('blue', 'sip:later@other.example');
  expect((await rows()).at(-1)).toMatchObject({ action: 'request-refused', subject: 'sip:later@other.example' });
});

test('each cause has its count', async () => {
  for (let i = 0; i < 15; i++) await ask('blue', `sip:a${i}@other.example`);
  for (let i = 0; i < 3; i++) await ask('blue', `sip:missing${i}@red.example`);
  await systems.advance(60);
  const counts = (await rows()).filter(({ action }) => action === 'refusals-counted');
  expect(counts.map(({ detail }) => [detail?.code, detail?.count])).toEqual([
    ['not-found', 5],
    ['group-not-homed-here', 3],
  ]);
});

test('one partner leaves the rows of another alone', async () => {
  for (let i = 0; i < 50; i++) await ask('blue', `sip:a${i}@other.example`);
  await ask('green', 'sip:alpha@red.example');
  expect((await rows()).filter(({ detail }) => detail?.partner === 'green')).toHaveLength(1);
});

test('refused provisions and withdrawals are bounded the same way', async () => {
  const { interconnection } = systems.red;
  const body = Buffer.from('<group/>');
  const anyway: Preconditions = {};
  const from = systems.blue.asPartner;
  for (let i = 0; i < 30; i++) {
    await refused(interconnection.acceptProvision(from, `sip:p${i}@red.example`, body, anyway));
    await refused(interconnection.acceptWithdrawal(from, `sip:w${i}@red.example`, anyway));
  }
  expect(await rows()).toHaveLength(10);
  await systems.advance(60);
  const counts = (await rows()).filter(({ action }) => action === 'refusals-counted');
  expect(counts.map(({ detail }) => [detail?.refused, detail?.count])).toEqual([
    ['provision-refused', 25],
    ['withdrawal-refused', 25],
  ]);
});

test('what is counted is written when the gateway stops', async () => {
  for (let i = 0; i < 12; i++) await ask('blue', `sip:a${i}@other.example`);
  await systems.red.interconnection.stop();
  expect((await rows()).at(-1)).toMatchObject({ action: 'refusals-counted', detail: { count: 2 } });
});
