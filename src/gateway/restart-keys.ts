// Which changes of a configuration a running gateway takes over, and which only count after a restart.
import { isDeepStrictEqual } from 'node:util';
import type { Configuration, ListenerConfiguration } from '../config/schema.ts';

/** The configuration that runs after a reload: what can change while running as changed, the rest as it was. */
export function takenOver(running: Configuration, changed: Configuration): Configuration {
  const { partners, identity, logging } = changed;
  const faces = withFilesOf(running, changed);
  if (faces.interconnect === undefined || changed.interconnect === undefined) {
    return { ...faces, partners, identity, logging };
  }
  const interconnect = { ...faces.interconnect, ...reloadable(changed.interconnect) };
  return { ...faces, interconnect, partners, identity, logging };
}

/** Keys, as `section` or `section.key`, that differ and need a restart. */
export function restartKeys(running: Configuration, changed: Configuration): readonly string[] {
  return differing(lasting(withFilesOf(running, changed)), lasting(changed));
}

// What reload takes over is left out: partners, identity, logging, and the times and the brake of interconnection.
function lasting(configuration: Configuration): Readonly<Record<string, unknown>> {
  const { partners: _partners, identity: _identity, logging: _logging, interconnect, ...rest } = configuration;
  if (interconnect === undefined) return rest;
  return { ...rest, interconnect: { ...interconnect, ...reloadable(undefined) } };
}

/** The running configuration with the TLS files of the changed one, where a face can exchange them for new connections. */
function withFilesOf(running: Configuration, changed: Configuration): Configuration {
  const { xcap, interconnect, manage, sip } = running;
  return {
    ...running,
    xcap: withTlsOf(xcap, changed.xcap),
    ...(interconnect === undefined ? {} : { interconnect: withTlsOf(interconnect, changed.interconnect) }),
    ...(manage === undefined ? {} : { manage: withOperatorsOf(withTlsOf(manage, changed.manage), changed.manage) }),
    ...(sip === undefined ? {} : { sip: withSipFilesOf(sip, changed.sip) }),
  };
}

type ManageConfiguration = NonNullable<Configuration['manage']>;

function withOperatorsOf(manage: ManageConfiguration, changed: Configuration['manage']): ManageConfiguration {
  return changed === undefined ? manage : { ...manage, token: changed.token, operators: changed.operators };
}

type SipConfiguration = NonNullable<Configuration['sip']>;

function withSipFilesOf(sip: SipConfiguration, changed: Configuration['sip']): SipConfiguration {
  if (sip.tls === undefined || changed?.tls === undefined || !sameKind(sip.tls.ca, changed.tls.ca)) return sip;
  const { cert, key, ca, crl } = changed.tls;
  const { ca: _ca, crl: _crl, ...rest } = sip.tls;
  return {
    ...sip,
    tls: { ...rest, cert, key, ...(ca === undefined ? {} : { ca }), ...(crl === undefined ? {} : { crl }) },
  };
}

function withTlsOf<Face extends { readonly listen: ListenerConfiguration }>(
  face: Face,
  changed: { readonly listen: ListenerConfiguration } | undefined,
): Face {
  const tls = changed?.listen.tls;
  // Whether client certificates are asked for is settled when a listener starts
  if (tls === undefined || face.listen.tls === undefined || !sameKind(face.listen.tls.clientCa, tls.clientCa))
    return face;
  return { ...face, listen: { ...face.listen, tls } };
}

function sameKind(one: string | undefined, other: string | undefined): boolean {
  return (one === undefined) === (other === undefined);
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
