// Instants as people write them: dates, dates with times, and spans before now.

/** What `readInstant` takes, for messages. */
export const instantForms =
  'an instant such as 2026-01-31T12:00:00Z, a date such as 2026-01-31, or a span before now such as 30m, 2h, 3d or 1w';

const units: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const dated = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?$/i;

/**
 * The instant that `text` means, as the journal has them (ISO 8601, UTC, milliseconds). A date alone is its beginning; a time without zone
 * is UTC. `now`: milliseconds since 1970. Undefined when it is none of `instantForms`, or no such day or time exists.
 */
export function readInstant(text: string, now: number): string | undefined {
  const time = /^(\d{1,6}[smhdw])+$/i.test(text) ? now - spanOf(text) : timeOf(text);
  return time === undefined ? undefined : new Date(Math.max(0, time)).toISOString();
}

function spanOf(text: string): number {
  const parts = text.toLowerCase().matchAll(/(\d+)([smhdw])/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0), 0);
}

function timeOf(text: string): number | undefined {
  const found = dated.exec(text);
  if (found === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const milliseconds = Number((found[7] ?? '').padEnd(3, '0').slice(0, 3));
  const time = Date.UTC(year, month - 1, day, hour, minute, second, milliseconds);
  // What does not exist would be taken for another day, or another time
  const meant = new Date(time).toISOString();
  const written = [year, month, day, hour, minute, second].map((part) => String(part).padStart(2, '0'));
  const same = meant
    .replace(/\.\d+Z$/, '')
    .split(/[-T:]/)
    .every((part, index) => Number(part) === Number(written[index]));
  return same ? time - offsetOf(found[8]) : undefined;
}

function offsetOf(zone: string | undefined): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone ?? '') ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
}
