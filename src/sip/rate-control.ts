// Rates that a subscriber asks for (RFC 6446): how seldom and how often it is told.
import { Refusal } from '../refusals.ts';
import { parseParameterised } from './headers.ts';
import { eventPackage } from './refusal-answer.ts';

/** NOTIFYs for each second. */
export interface Rates {
  readonly maxRate?: number | undefined;
  readonly minRate?: number | undefined;
  readonly adaptiveMinRate?: number | undefined;
}

/** Times in milliseconds. */
export interface Pace {
  /** Least time between two NOTIFYs. */
  readonly shortest: number;
  /** A NOTIFY goes out after this time although nothing changed. */
  readonly longest: number;
}

/** No subscriber gets NOTIFYs without news more often than this (RFC 5875 clause 4.10). */
const mostWithoutNews = 0.2;
/** Expected NOTIFYs in the period over which the adaptive rate is measured, RFC 6446 clause 7.4. */
const measured = 10;

/** Reads the parameters of an Event field; undefined when it has none. Throws Refusal `bad-request` for what is no rate. */
export function readRates(parameters: ReadonlyMap<string, string>): Rates | undefined {
  const rate = (name: string): number | undefined => {
    const written = parameters.get(name);
    if (written === undefined) return undefined;
    // RFC 6446 9.2; zero is forbidden there
    const value = /^\d{1,2}(\.\d{1,10})?$/.test(written) ? Number(written) : 0;
    if (value === 0) throw new Refusal('bad-request', { phrase: `${name} is no rate` });
    return value;
  };
  const [maxRate, minRate, adaptiveMinRate] = [rate('max-rate'), rate('min-rate'), rate('adaptive-min-rate')];
  if (maxRate === undefined && minRate === undefined && adaptiveMinRate === undefined) return undefined;
  return { maxRate, minRate, adaptiveMinRate };
}

/**
 * The rates that we use in place of those asked for.
 * @param interval our own least time between two NOTIFYs, milliseconds
 * @param duration of the subscription, seconds
 */
export function grantedRates(asked: Rates, interval: number, duration: number): Rates {
  // RFC 6446 5.3: never so slow that nothing would come before the end
  const slowest = 1 / Math.max(duration, 1);
  const ours = interval > 0 ? 1000 / interval : Number.POSITIVE_INFINITY;
  const maxRate = asked.maxRate === undefined ? undefined : Math.min(Math.max(asked.maxRate, slowest), ours);
  const highest = Math.min(maxRate ?? ours, mostWithoutNews);
  const adaptiveMinRate = lower(asked.adaptiveMinRate, highest);
  const minRate = lower(asked.minRate, highest);
  // RFC 6446 8: a min-rate not below the adaptive one says nothing
  const useless = minRate !== undefined && adaptiveMinRate !== undefined && minRate >= adaptiveMinRate;
  return { maxRate, minRate: useless ? undefined : minRate, adaptiveMinRate };
}

function lower(rate: number | undefined, highest: number): number | undefined {
  return rate === undefined ? undefined : Math.min(rate, highest);
}

/**
 * How a subscription is paced now.
 * @param interval our own least time between two NOTIFYs, milliseconds
 * @param sent times of the NOTIFYs sent lately, milliseconds; looked at for the adaptive rate alone
 */
export function paceOf(rates: Rates | undefined, interval: number, sent: readonly number[], now: number): Pace {
  const shortest = Math.max(interval, rates?.maxRate === undefined ? 0 : 1000 / rates.maxRate);
  let longest = rates?.minRate === undefined ? Number.POSITIVE_INFINITY : 1000 / rates.minRate;
  if (rates?.adaptiveMinRate !== undefined) {
    const rate = rates.adaptiveMinRate;
    const period = measured / rate;
    const count = sent.filter((at) => at > now - period * 1000).length;
    // RFC 6446 7.4, equations 1 and 2; who was told nothing for a whole period is not told twice at once
    const timeout = Math.max(count, 1) / (rate * rate * period);
    longest = Math.min(longest, Math.max(timeout * 1000, shortest));
  }
  return { shortest, longest };
}

/** Number of times that `paceOf` looks at. */
export const keptTimes = 200;

/** The times that a subscription with an adaptive rate begins with: as if it had always been told at this rate (RFC 6446 clause 7.2). */
export function timesBefore(now: number, rate: number): number[] {
  return Array.from({ length: measured }, (_, place) => now - ((measured - 1 - place) * 1000) / rate);
}

/**
 * The rates in the Event field of a 200 to a NOTIFY, which replace those agreed before (RFC 6446 clause 9.3); `unchanged` when there is
 * none, or none that can be understood: an answer cannot be refused.
 */
export function ratesByAnswer(event: string | undefined): Rates | undefined | 'unchanged' {
  const parsed = event === undefined ? undefined : parseParameterised(event);
  if (parsed?.value !== eventPackage) return 'unchanged';
  try {
    return readRates(parsed.parameters);
  } catch (error) {
    if (error instanceof Refusal) return 'unchanged';
    throw error;
  }
}

/** The parameters of Subscription-State that tell the rates in use, RFC 6446 clause 9; '' without any. */
export function rateParameters(rates: Rates | undefined): string {
  const parameter = (name: string, rate: number | undefined): string =>
    rate === undefined ? '' : `;${name}=${written(rate)}`;
  return (
    parameter('max-rate', rates?.maxRate) +
    parameter('min-rate', rates?.minRate) +
    parameter('adaptive-min-rate', rates?.adaptiveMinRate)
  );
}

/** RFC 6446 9.2: at most two digits before the point and ten behind it. */
function written(rate: number): string {
  return Math.min(rate, 99)
    .toFixed(10)
    .replace(/\.?0+$/, '');
}
