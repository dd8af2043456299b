// XCAP GET of a 5 KB document, authenticated by asserted identity and by access token, through the whole gateway, against a bare node:http
// server that sends the same bytes. Bar: at most twice the CPU time per request with an asserted identity.
import type { BenchOptions } from './support/bench.ts';
import { load, loadGenerator } from './support/http-load.ts';
import { type MeasuredServer, startMeasuredServer } from './support/measured-server.ts';

const bar = 2;
const script = new URL('./support/xcap-get-server.ts', import.meta.url);

interface Sample {
  readonly perSecond: number;
  /** Microseconds of CPU time. */
  readonly cpuPerRequest: number;
}

/** Measures and prints; resolves to 1 when the bar was missed or a request failed. */
export async function run({ rounds, seconds, write }: BenchOptions): Promise<number> {
  const generator = await loadGenerator();
  const candidates = ['bare', 'asserted', 'token'] as const;
  const servers: { readonly [name in (typeof candidates)[number]]: MeasuredServer } = {
    bare: await startMeasuredServer(script, 'bare'),
    asserted: await startMeasuredServer(script, 'asserted'),
    token: await startMeasuredServer(script, 'token'),
  };
  const samples: { readonly [name in (typeof candidates)[number]]: Sample[] } = { bare: [], asserted: [], token: [] };
  let failures = 0;
  try {
    for (const name of candidates) await measure(servers[name], Math.min(seconds, 3));
    for (let round = 0; round < rounds; round++) {
      // Turns change sides, so that neither always follows the other
      for (const name of round % 2 === 0 ? candidates : candidates.toReversed()) {
        samples[name].push(await measure(servers[name], seconds));
      }
    }
  } finally {
    await Promise.all(candidates.map((name) => servers[name].close()));
  }

  write(`XCAP GET of a 5 KB document, 32 connections from ${generator}, ${rounds} rounds of ${seconds} s`);
  for (const name of candidates) {
    write(
      `${name.padEnd(8)} ${line(samples[name], 'perSecond', 0)} requests/s   ${line(samples[name], 'cpuPerRequest', 1)} us CPU/request`,
    );
  }
  const ratio = median(samples.asserted, 'cpuPerRequest') / median(samples.bare, 'cpuPerRequest');
  const withToken = median(samples.token, 'cpuPerRequest') / median(samples.bare, 'cpuPerRequest');
  write(`CPU per request: ${ratio.toFixed(2)} x bare node:http (bar: ${bar.toFixed(1)})`);
  write(`CPU per request with a token: ${withToken.toFixed(2)} x bare node:http (no bar)`);
  if (failures > 0) write(`${failures} requests failed`);
  return ratio <= bar && failures === 0 ? 0 : 1;

  async function measure(server: MeasuredServer, duration: number): Promise<Sample> {
    const before = await server.cpu();
    const loaded = await load(generator, server.url, server.header, duration);
    const used = (await server.cpu()) - before;
    failures += loaded.failures;
    return { perSecond: loaded.perSecond, cpuPerRequest: used / loaded.requests };
  }
}

function line(samples: readonly Sample[], key: keyof Sample, digits: number): string {
  const values = samples.map((sample) => sample[key]);
  const low = Math.min(...values).toFixed(digits);
  const high = Math.max(...values).toFixed(digits);
  return `${median(samples, key).toFixed(digits).padStart(7)} (${low} to ${high})`;
}

function median(samples: readonly Sample[], key: keyof Sample): number {
  const values = samples.map((sample) => sample[key]).sort((one, other) => one - other);
  const middle = values.length / 2;
  const upper = values[Math.floor(middle)] ?? Number.NaN;
  const lower = values[Math.ceil(middle) - 1] ?? Number.NaN;
  return (upper + lower) / 2;
}
