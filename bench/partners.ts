// `npm run bench -- partners`: one gateway, 50 partners on real sockets, 20,000 groups shared with them. How long a write takes to reach a
// healthy partner while all are well, and while 40 are frozen, slow, resetting, failing or talking garbage with groups waiting for them.
import { type ManyPartners, manyPartners, percentile } from '../src/gateway/many-partners.testkit.ts';
import type { BenchOptions } from './support/bench.ts';

const partners = 50;
const frail = 40;
const groups = 20_000;
/** Groups written at once while the gateway is filled. */
const atOnce = 32;
/** Writes of which the time is taken, in each state. */
const measured = 300;

/** Measures and prints; with `check`, 1 when sick partners delay healthy ones by more than half. */
export async function run({ write, check }: BenchOptions): Promise<number> {
  const many = await manyPartners(partners, frail);
  try {
    const all = [...many.frail, ...many.healthy];
    const began = performance.now();
    await fill(many, all, 0, groups);
    write(`${groups} groups at ${partners} partners after ${Math.round((performance.now() - began) / 1000)} s`);
    const well = await measure(many, 'well');
    many.setSick(true);
    await fill(many, many.frail, 1, groups / 10);
    for (const partner of many.frail) for (let i = 0; i < 20; i++) many.ask(partner, `missing${i}`);
    const sick = await measure(many, 'sick');
    const told = (times: readonly number[]): string =>
      [50, 95, 99].map((p) => `p${p} ${percentile(times, p).toFixed(1)} ms`).join(', ');
    write(`all well:          ${told(well)}`);
    write(`${frail} of ${partners} sick:     ${told(sick)}`);
    const ratio = percentile(sick, 50) / percentile(well, 50);
    write(`ratio of medians:  ${ratio.toFixed(2)} (bar: at most 1.5)`);
    many.setSick(false);
    const recovering = performance.now();
    while ([...(await many.waiting()).values()].some((count) => count > 0))
      await new Promise((resolve) => setTimeout(resolve, 200));
    write(`all delivered ${Math.round((performance.now() - recovering) / 1000)} s after the sick ones recovered`);
    return check && ratio > 1.5 ? 1 : 0;
  } finally {
    await many.close();
  }
}

async function fill(many: ManyPartners, partnersOf: readonly string[], turn: number, count: number): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const i = next++;
      await many.write(`g${i}`, partnersOf[i % partnersOf.length] ?? '', turn);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (turn === 0)
    while ([...(await many.waiting()).values()].some((left) => left > 0))
      await new Promise((resolve) => setTimeout(resolve, 100));
}

async function measure(many: ManyPartners, run: string): Promise<readonly number[]> {
  const times: number[] = [];
  for (let i = 0; i < measured; i++) {
    const partner = many.healthy[i % many.healthy.length] ?? '';
    times.push(await many.latency(`${run}${i}`, partner, i));
  }
  return times;
}
