// What is done to two interconnected gateways, and how long it took.
import type { Interconnected } from './interconnected.ts';

/** A workload ends with whichever comes first. */
export interface Bound {
  readonly most: number;
  readonly seconds: number;
}

/** Groups written in turns. */
const written = 16;
const writers = 16;

let names = 0;
let turns = 0;

/** Milliseconds from the PUT at the primary to the NOTIFY at the partner's MC service server, one write after the other. */
export async function writeTimes(pair: Interconnected, { most, seconds }: Bound): Promise<readonly number[]> {
  const times: number[] = [];
  for (const end = performance.now() + seconds * 1000; times.length < most && performance.now() < end; ) {
    const name = `harbour-w${times.length % written}`;
    const told = pair.told(name);
    turns += 1;
    const started = performance.now();
    const [at] = await Promise.all([told, pair.put(name, turns)]);
    times.push(at - started);
  }
  return times;
}

/** Milliseconds from the GET of an MC service server to its 200, each of a group that only the primary has. */
export async function requestTimes(pair: Interconnected, { most, seconds }: Bound): Promise<readonly number[]> {
  const times: number[] = [];
  for (const end = performance.now() + seconds * 1000; times.length < most && performance.now() < end; ) {
    names += 1;
    const name = `border-r${names}`;
    await pair.put(name, 0);
    const told = pair.told(name);
    const started = performance.now();
    const { status, body } = await pair.get(name);
    times.push(performance.now() - started);
    if (status !== 200) throw new Error(`blue answers ${status} to the request of ${name}: ${body}`);
    await told;
  }
  return times;
}

/** Provisions of new groups by several writers: how many, and how many a second until the last is told at the partner. */
export async function provisionRate(
  pair: Interconnected,
  seconds: number,
): Promise<{ readonly provided: number; readonly rate: number }> {
  const started = performance.now();
  const told: Promise<number>[] = [];
  const writer = async (): Promise<void> => {
    while (performance.now() < started + seconds * 1000) {
      names += 1;
      const name = `harbour-p${names}`;
      told.push(pair.told(name));
      await pair.put(name, 0);
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  const last = Math.max(...(await Promise.all(told)));
  return { provided: told.length, rate: told.length / ((last - started) / 1000) };
}
