// Which changes of a configuration a running gateway takes over, and which only count after a restart.
import { isDeepStrictEqual } from 'node:util';
import type { Configuration } from '../config/schema.ts';

/** The configuration that runs after a reload: what can change while running as changed, the rest as it was. */
export function takenOver(running: Configuration, changed: Configuration): Configuration {
  const { partners, identity, logging } = changed;
  if (running.interconnect === undefined || changed.interconnect === undefined) {
    return { ...running, partners, identity, logging };
  }
  const interconnect = { ...running.interconnect, ...reloadable(changed.interconnect) };
  return { ...running, interconnect, partners, identity, logging };
}

/** Keys, as `section` or `section.key`, that differ and need a restart. */
export function restartKeys(running: Configuration, changed: Configuration): readonly string[] {
  return differing(lasting(running), lasting(changed));
}

// What reload takes over is left out: partners, identity, logging, and the times and the brake of interconnection.
function lasting(configuration: Configuration): Readonly<Record<string, unknown>> {
  const { partners: _partners, identity: _identity, logging: _logging, interconnect, ...rest } = configuration;
  if (interconnect === undefined) return rest;
  return { ...rest, interconnect: { ...interconnect, ...reloadable(undefined) } };
}

/** Keys of the section `interconnect` that reload takes over. */
const reloadableKeys = ['brake', 'catchUpRate', 'failureMemory', 'patience', 'retry', 'revalidate', 'timeout'] as const;

type ReloadableKey = (typeof reloadableKeys)[number];

function reloadable<Section extends Partial<Record<ReloadableKey, unknown>> | undefined>(
  section: Section,
): Pick<NonNullable<Section>, ReloadableKey & keyof NonNullable<Section>> {
  const entries = reloadableKeys.map((key) => [key, section?.[key]] as const);
  return Object.fromEntries(entries) as Pick<NonNullable<Section>, ReloadableKey & keyof NonNullable<Section>>;
}

function differing(
  one: Readonly<Record<string, unknown>>,
  other: Readonly<Record<string, unknown>>,
): readonly string[] {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].flatMap((section) => {
    const [before, after] = [one[section], other[section]];
    if (isDeepStrictEqual(before, after)) return [];
    if (!isRecord(before) || !isRecord(after)) return [section];
    const inner = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...inner].filter((key) => !isDeepStrictEqual(before[key], after[key])).map((key) => `${section}.${key}`);
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
