// SIGKILL of either gateway at each step of both flows, one after the other on one pair: after the restart the partner holds the group
// once, in the version of the primary, and its MC service server knows. `npm run endure -- kills` does all of it, this a part.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../until.ts';
import { passOn } from './support/csc16-relay.ts';
import {
  type KillStep,
  provideSteps,
  requestingSteps,
  stayCurrentSteps,
  subscriptionSteps,
} from './support/kill-steps.ts';
import type { Listener } from './support/listener.ts';
import { Pair } from './support/pair.ts';
import type { Side } from './support/sip-relay.ts';

const everything = process.env.ENDURE_KILLS === 'all';

let pair: Pair;
let listener: Listener;
let turn = 0;

beforeAll(async () => {
  pair = await Pair.start();
  listener = await pair.listen();
}, 60_000);

afterAll(() => pair?.close());

/** One row for each victim of each step; the short form has every third. */
function rows(steps: readonly KillStep[], first = 0): readonly (readonly [string, Side, KillStep])[] {
  return steps
    .flatMap((step) => step.victims.map((victim) => [step.step, victim, step] as const))
    .filter((_, nth) => everything || nth % 3 === first);
}

/** Kills the victim when the step is reached that `act` leads to, lets everything pass again and starts it. */
async function killAt(step: KillStep, victim: Side, name: string, act: () => Promise<unknown>): Promise<void> {
  const { reached } = step.prepare({ pair, listener, name });
  // What breaks because of the kill is not what is looked at
  const acted = act().catch(() => undefined);
  await within(reached, step.step);
  await pair.kill(victim);
  pair.traffic = passOn;
  pair.sip.traffic = (datagram) => datagram.pass();
  for (const relay of [pair.towards.red, pair.towards.blue]) {
    relay.onHeldConnection = undefined;
    relay.cutAll();
  }
  listener.attend();
  await pair.begin(victim);
  await acted;
}

async function within(reached: Promise<unknown>, what: string): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const patience = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(new Error(`not reached: ${what}`)), 15_000);
  });
  await Promise.race([reached, patience]).finally(() => clearTimeout(late));
}

/** Blue holds the group once, as red does, and told so. `document` undefined = it is gone. */
async function same(name: string, document: string | undefined): Promise<void> {
  const groupId = `sip:${name}@red.example`;
  const served = await until(
    () => pair.get('blue', name),
    ({ status, body }) => (document === undefined ? status === 404 : status === 200 && body === document),
    `${name} at blue as at red`,
    20_000,
  );
  const here = await pair.get('red', name);
  expect({ status: here.status, tag: here.tag }).toEqual({ status: served.status, tag: served.tag });
  const held = (await pair.groups('blue')).filter((group) => group.groupId === groupId);
  expect(held.map(({ tag, sourceTag }) => ({ tag, sourceTag }))).toEqual(
    document === undefined ? [] : [{ tag: served.tag, sourceTag: here.tag }],
  );
  await listener.hears(groupId, document === undefined ? undefined : served.tag);
  expect(listener.contradictions.splice(0)).toEqual([]);
}

async function delivered(name: string): Promise<void> {
  await until(
    () => pair.delivery(name),
    (delivery) => delivery?.state === 'delivered',
    `the delivery of ${name}`,
    20_000,
  );
}

const operations = everything ? (['create', 'change', 'delete'] as const) : (['change'] as const);

describe.each(operations)('TS 23.280 10.2.7, primary provides: SIGKILL during %s', (operation) => {
  test.each(rows(provideSteps))(
    '%s: %s is killed',
    async (_, victim, step) => {
      turn += 1;
      const name = `harbour-${turn}`;
      if (operation !== 'create') {
        await pair.put(name, pair.document(name, 'First'));
        await delivered(name);
        await same(name, pair.document(name, 'First'));
      }
      const document = operation === 'delete' ? undefined : pair.document(name, 'Second', ['rosa']);
      await killAt(step, victim, name, async () => {
        const { status } = await (document === undefined ? pair.delete(name) : pair.put(name, document));
        expect(status).toBe(operation === 'create' ? 201 : 200);
      });
      await delivered(name);
      await same(name, document);
    },
    60_000,
  );
});

describe('TS 23.280 10.2.7, partner requests: SIGKILL during the request', () => {
  test.each(rows(requestingSteps, 1))(
    '%s: %s is killed',
    async (_, victim, step) => {
      turn += 1;
      const name = `border-${turn}`;
      const document = pair.document(name, 'First');
      await pair.put(name, document);
      await killAt(step, victim, name, () => pair.get('blue', name));
      // An MC service server whose request broke asks again
      await same(name, document);
    },
    60_000,
  );
});

const changes = everything ? (['change', 'delete'] as const) : (['change'] as const);

describe.each(changes)('RFC 5875, stay current: SIGKILL while the partner learns of a %s', (operation) => {
  test.each(rows(stayCurrentSteps, 2))(
    '%s: %s is killed',
    async (_, victim, step) => {
      const name = await watched();
      const document = operation === 'delete' ? undefined : pair.document(name, 'Second', ['rosa']);
      await killAt(step, victim, name, () => (document === undefined ? pair.delete(name) : pair.put(name, document)));
      await same(name, document);
    },
    60_000,
  );
});

describe('RFC 6665 4.1, stay current: SIGKILL while the partner subscribes', () => {
  test.each(rows(subscriptionSteps, 1))(
    '%s: %s is killed',
    async (_, victim, step) => {
      turn += 1;
      const name = `border-${turn}`;
      await pair.put(name, pair.document(name, 'First'));
      await killAt(step, victim, name, () => pair.get('blue', name));
      await same(name, pair.document(name, 'First'));
      const document = pair.document(name, 'Second');
      await pair.put(name, document);
      await same(name, document);
    },
    60_000,
  );
});

/** A new group that blue holds and that red tells blue about. */
async function watched(): Promise<string> {
  turn += 1;
  const name = `border-${turn}`;
  const document = pair.document(name, 'First');
  await pair.put(name, document);
  const told = new Promise<void>((resolve) => {
    let telling = false;
    pair.sip.traffic = (datagram) => {
      const { from, startLine, text, cseq } = datagram;
      if (from === 'red' && startLine.startsWith('NOTIFY ') && text.includes(name)) telling = true;
      if (telling && from === 'blue' && startLine.startsWith('SIP/2.0 200') && cseq.endsWith('NOTIFY')) resolve();
      datagram.pass();
    };
  });
  await same(name, document);
  await within(told, `the subscription of ${name}`);
  return name;
}
