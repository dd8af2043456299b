// A bad network between two real gateways: whatever happens to messages on CSC-16 and SIP, once it stops both sides hold what the model
// holds and the MC service server knows the last state. `npm run endure -- faults [SCHEDULES] [SEED]` plays more and longer schedules.
import { afterEach, expect, test } from '@jest/globals';
import { Observations } from '../../src/demo/observations.ts';
import type { SystemConfiguration } from '../../src/demo/systems.ts';
import { until } from '../until.ts';
import { Chance } from './support/chance.ts';
import { passOn } from './support/csc16-relay.ts';
import { badHttp, badSip } from './support/faults.ts';
import type { Listener } from './support/listener.ts';
import { Pair } from './support/pair.ts';

const schedules = Number(process.env.ENDURE_SCHEDULES ?? 1);
const firstSeed = Number(process.env.ENDURE_SEED ?? 7);
const operations = schedules > 1 ? 80 : 24;
/** Provided (flow A) and requested (flow B). */
const names = ['harbour-1', 'harbour-2', 'harbour-3', 'border-1', 'border-2'] as const;
const groupIdOf = (name: string): string => `sip:${name}@red.example`;

let pair: Pair | undefined;
let played: string[] = [];

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

const seeds = Array.from({ length: schedules }, (_, nth) => [firstSeed + nth] as const);

test.each(seeds)(
  'TS 23.280 10.2.7: after faults on CSC-16 and SIP both sides equal the model (seed %d)',
  async (seed) => {
    played = [];
    const playing = await Pair.start({ change: (_, configuration) => impatient(configuration) });
    pair = playing;
    const listener = await playing.listen();
    const model = await play(playing, new Chance(seed));
    playing.traffic = passOn;
    playing.sip.traffic = (datagram) => datagram.pass();
    try {
      await converged(playing, model, listener);
    } catch (error) {
      const state = JSON.stringify([await playing.deliveries(), await playing.groups('blue')], undefined, 1);
      throw new Error(`${(error as Error).message}\nplayed:\n${played.slice(-80).join('\n')}\n${state}`);
    }
  },
  schedules > 1 ? 300_000 : 120_000,
);

function impatient(configuration: SystemConfiguration): SystemConfiguration {
  return { ...configuration, interconnect: { ...configuration.interconnect, timeout: 0.7 } };
}

/** Writes, deletes and asks while messages come to harm; resolves to the documents that red holds at the end. */
async function play(playing: Pair, chance: Chance): Promise<ReadonlyMap<string, string>> {
  const events = new Observations<string>();
  playing.traffic = badHttp(chance, (fault, { startLine }) => {
    const [, method, name] = /^(\S+) .*%3A(.*)%40/.exec(startLine) ?? [];
    played.push(`    ${method} ${name}: ${fault}`);
    events.add(fault);
  });
  playing.sip.traffic = badSip(chance, (bytes) => playing.sip.inject(chance.of(['red', 'blue']), bytes));
  const model = new Map<string, string>();
  for (let turn = 0; turn < operations; turn += 1) {
    const name = chance.of(names);
    const fate = chance.next();
    if (fate < 0.15 && model.has(name)) {
      played.push(`delete ${name}`);
      expect((await playing.delete(name)).status).toBe(200);
      model.delete(name);
    } else if (fate < 0.75) {
      const members = Array.from({ length: chance.between(0, 3) }, (_, nth) => `member-${turn}-${nth}`);
      const document = playing.document(name, `Turn ${turn}`, members);
      played.push(`put ${name}: turn ${turn}`);
      expect((await playing.put(name, document)).status).toBeLessThan(300);
      model.set(name, document);
    } else {
      played.push(`ask ${name}`);
      const { status } = await playing.get('blue', name);
      expect([200, 404, 502, 504]).toContain(status);
    }
    // How much happens on the wire between two operations is up to chance; when all is done there is nothing to wait for
    const wanted = chance.between(0, 3);
    for (let seen = 0; seen < wanted; seen += 1) {
      await events.first(events.length, () => true, 'a request between the systems', 700).catch(() => undefined);
    }
  }
  return model;
}

/** Resolves when everything that the model says is so at both systems and was told. Rejects with what is not. */
async function converged(playing: Pair, model: ReadonlyMap<string, string>, listener: Listener): Promise<void> {
  for (const name of names) {
    const document = model.get(name);
    if (document !== undefined) expect((await playing.get('red', name)).body).toBe(document);
    await until(
      () => playing.get('blue', name),
      ({ status, body }) => (document === undefined ? status === 404 : status === 200 && body === document),
      `${name} at blue as at red (${document === undefined ? 'gone' : document.match(/Turn \d+/)?.[0]})`,
      30_000,
    );
  }
  const groups = await until(
    () => playing.groups('blue'),
    (listed) => listed.every(({ staleSince }) => staleSince === undefined),
    'the end of all stale marks',
    30_000,
  );
  expect(groups.map(({ groupId }) => groupId).sort()).toEqual([...model.keys()].map(groupIdOf).sort());
  await until(
    () => playing.deliveries(),
    (deliveries) => deliveries.every(({ state }) => state === 'delivered'),
    'delivery of everything',
    30_000,
  );
  const red = new Map((await playing.groups('red')).map(({ groupId, tag }) => [groupId, tag]));
  for (const { groupId, tag, sourceTag } of groups) {
    // Both name the version by its bytes
    expect({ groupId, tag, sourceTag }).toEqual({ groupId, tag: red.get(groupId), sourceTag: red.get(groupId) });
    await listener.hears(groupId, tag);
  }
  for (const name of names) if (!model.has(name)) await listener.hears(groupIdOf(name), undefined);
  expect([...listener.told.keys()].sort()).toEqual(groups.map(({ groupId }) => groupId).sort());
  expect({ contradictions: listener.contradictions, repetitions: listener.repetitions }).toEqual({
    contradictions: [],
    repetitions: 0,
  });
}
