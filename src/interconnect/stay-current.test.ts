// Staying current by subscription: what a partner tells, what is asked because of it, and what happens while it is silent.
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { closeSchemas } from '../documents/documents.testkit.ts';
import { openSystems, partnerAgreement, primaryAgreement, type Systems } from './interconnect.testkit.ts';
import type { PartnerWatch, PartnerWatchListener, WatchProbe } from './ports.ts';

const alpha = 'sip:alpha@red.example';
const groupOf = (name: string): string => `sip:${name}@red.example`;

/** The watch port as a test plays it. */
class PlayedWatch implements PartnerWatch {
  listener: PartnerWatchListener = { changed: () => undefined, state: () => undefined };
  readonly watched: (readonly string[])[] = [];

  watch(_partner: string, groups: readonly string[]): void {
    this.watched.push(groups);
  }

  async probe(): Promise<WatchProbe> {
    return { status: 200, notified: true };
  }

  async close(): Promise<void> {}
}

let systems: Systems;
let watch: PlayedWatch;
afterEach(async () => {
  expect(systems.blue.faults).toEqual([]);
  await systems.close();
});
afterAll(closeSchemas);

/** Red is asked and provides nothing by itself; blue watches what it holds. */
async function open(catchUpRate = 1000): Promise<void> {
  const { theyRequest } = primaryAgreement('red');
  systems = await openSystems({
    red: { partners: { blue: { agreement: { theyRequest } } } },
    blue: {
      revalidate: 100,
      catchUpRate,
      partners: { red: { agreement: partnerAgreement('red'), sip: ['sip:gms@red.example'] } },
    },
  });
  watch = new PlayedWatch();
  systems.blue.interconnection.useWatch((listener) => {
    watch.listener = listener;
    return watch;
  });
}

async function bring(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await systems.red.putGroup(name);
    await systems.blue.interconnection.pull(groupOf(name), 'operator');
  }
  await systems.settle();
  systems.blue.sent.length = 0;
}

async function tell(name: string, tag: string | undefined): Promise<void> {
  watch.listener.changed('red', groupOf(name), tag);
  await systems.settle();
}

const tagAtRed = async (name: string): Promise<string> =>
  (await systems.red.interconnection.groupForPartner(systems.blue.asPartner, groupOf(name))).tag;
const source = (name: string) => systems.blue.store.source(groupOf(name));

describe('TS 24.481 6.3.13: groups held from a partner are watched there', () => {
  test('each group that comes is watched from then on, each that goes no more', async () => {
    await open();
    await bring('alpha', 'beta');
    expect(watch.watched.at(-1)).toEqual([groupOf('alpha'), groupOf('beta')]);
    await systems.red.deleteGroup('beta');
    await tell('beta', undefined);
    expect(watch.watched.at(-1)).toEqual([groupOf('alpha')]);
    expect(await systems.blue.documents.findGroup(groupOf('beta'))).toBeUndefined();
  });

  test('a change that is told leads to one conditional request, is derived and told on', async () => {
    await open();
    await bring('alpha');
    systems.blue.events.length = 0;
    await systems.red.putGroup('alpha', { name: 'Renamed', members: ['sip:omar@blue.example'] });
    await tell('alpha', await tagAtRed('alpha'));
    expect(systems.blue.sent).toEqual([{ kind: 'fetch', partner: 'red', groupId: alpha }]);
    expect(systems.blue.events).toHaveLength(1);
    expect((await source('alpha'))?.primaryTag).toBe(await tagAtRed('alpha'));
  });

  test('a tag that is known causes no request, nor does a group of somebody else', async () => {
    await open();
    await bring('alpha');
    await tell('alpha', await tagAtRed('alpha'));
    await tell('nothing', 'x');
    watch.listener.changed('green', alpha, 'y');
    await systems.settle();
    expect(systems.blue.sent).toEqual([]);
  });

  test('while the partner tells nobody asks on a timer; while it is silent everybody does', async () => {
    await open();
    await bring('alpha');
    watch.listener.state('red', 'up');
    await systems.advance(250);
    expect(systems.blue.sent).toEqual([]);
    watch.listener.state('red', 'down');
    await systems.advance(100);
    expect(systems.blue.sent).toHaveLength(1);
  });

  test('a request that failed leaves a stale copy, which the timer asks for although the partner tells', async () => {
    await open();
    await bring('alpha', 'beta');
    watch.listener.state('red', 'up');
    systems.blue.link = () => 'down';
    await tell('alpha', 'new');
    expect(systems.blue.interconnection.staleSince(alpha)).toBe((await source('alpha'))?.staleSince);
    expect(systems.blue.interconnection.staleSince(groupOf('beta'))).toBeUndefined();
    const read = () => systems.blue.interconnection.group(systems.blue.server, alpha);
    expect(await read()).toMatchObject({
      staleSince: expect.stringMatching(/Z$/),
      group: { listServices: [{ uri: alpha }] },
    });
    await systems.blue.restart();
    expect(systems.blue.interconnection.staleSince(alpha)).toBeDefined();
    systems.blue.link = () => 'none';
    await systems.advance(100);
    expect(systems.blue.interconnection.staleSince(alpha)).toBeUndefined();
    expect((await source('alpha'))?.staleSince).toBeUndefined();
    expect((await read()).staleSince).toBeUndefined();
  });
});

test('catching up after an outage is paced, and the copies that are oldest go first', async () => {
  await open(10);
  const names = Array.from({ length: 20 }, (_, i) => `g${String(i).padStart(2, '0')}`);
  for (const name of names.toReversed()) {
    await bring(name);
    await systems.advance(1);
  }
  systems.blue.sent.length = 0;
  for (const name of names) watch.listener.changed('red', groupOf(name), 'new');
  await systems.settle();
  const first = systems.blue.sent.length;
  expect(first).toBeLessThanOrEqual(1);
  await systems.advance(1);
  expect(systems.blue.sent.length).toBeLessThanOrEqual(first + 11);
  expect(systems.blue.sent.length).toBeGreaterThan(first + 8);
  await systems.advance(2);
  expect(systems.blue.sent).toHaveLength(20);
  const order = systems.blue.sent.map(({ groupId }) => groupId);
  expect(order.slice(1)).toEqual(
    names
      .toReversed()
      .map(groupOf)
      .filter((groupId) => groupId !== order[0]),
  );
});

test('RFC 9110 10.2.3: what a partner told while it asks for a pause is stale meanwhile, and asked for when the pause is over', async () => {
  await open();
  await bring('alpha', 'beta', 'gamma');
  for (const name of ['alpha', 'beta', 'gamma']) await systems.red.putGroup(name, { name: 'Newer' });
  systems.blue.link = () => ({ outcome: 'failed', reason: '503', retryAfter: 60 });
  await tell('alpha', 'another');
  systems.blue.link = () => 'none';
  await tell('beta', 'another');
  await tell('gamma', 'another');
  expect(systems.blue.sent).toHaveLength(1);
  for (const name of ['alpha', 'beta', 'gamma']) expect((await source(name))?.staleSince).toBeDefined();
  await systems.advance(61);
  expect(systems.blue.sent.map(({ groupId }) => groupId).sort()).toEqual([
    alpha,
    alpha,
    ...['beta', 'gamma'].map(groupOf),
  ]);
  for (const name of ['alpha', 'beta', 'gamma']) {
    expect(Buffer.from((await source(name))?.bytes ?? []).toString()).toContain('Newer');
    expect((await source(name))?.staleSince).toBeUndefined();
  }
});
