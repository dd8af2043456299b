// From a configuration file to a checked Configuration with absolute file names, or to every problem at once.
// Knows no other room; policies named in the configuration are loaded by those who use it.
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { isUrl } from '../identity/jwks-location.ts';
import { withAbsolutePostgresFiles } from '../postgres-url.ts';
import { type ConfiguredFiles, readOnce } from './configured-files.ts';
import { crossChecks, type Finding, type Sections } from './cross-checks.ts';
import type { FileProblem } from './file-problem.ts';
import { identityChecks } from './identity-checks.ts';
import { type Configuration, configurationSchema, type PartnerConfiguration } from './schema.ts';
import { keyText, schemaProblems } from './schema-problems.ts';
import { arrayItem, objectShape } from './schema-walk.ts';
import { tlsChecks } from './tls-checks.ts';
import { parseYaml, type YamlSource } from './yaml-source.ts';

/** A problem that need not keep the gateway from starting is a warning. */
export interface ConfigurationProblem extends FileProblem {
  readonly severity: 'error' | 'warning';
}

export interface LoadedConfiguration {
  /** Undefined when there is an error. */
  readonly configuration: Configuration | undefined;
  /** In the order of their lines, those of other files last. */
  readonly problems: readonly ConfigurationProblem[];
  /** The sections that are sound by themselves, with absolute file names. */
  readonly sections: Sections;
  /** An error at a key of the file. */
  readonly errorAt: (path: readonly PropertyKey[], text: string) => ConfigurationProblem;
  /** What was read of the files that it names. */
  readonly files: ConfiguredFiles;
}

/** Reads and checks the configuration in `file` as of the instant `now` (milliseconds since 1970). Never throws for what is wrong. */
export function loadConfiguration(file: string, now: number): LoadedConfiguration {
  const files = readOnce();
  let text: string;
  try {
    text = files.text(file);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const sentence = missing ? 'does not exist' : `cannot be read: ${(error as Error).message}`;
    return {
      configuration: undefined,
      problems: [{ file, line: 1, key: '(file)', text: sentence, severity: 'error' }],
      sections: { partners: [] },
      errorAt: (path, text) => ({ file, line: 1, key: keyText(path), text, severity: 'error' }),
      files,
    };
  }
  return checkConfiguration(parseYaml(file, text), now, files);
}

/** Checks a parsed configuration; relative file names count from the folder of `source.file`. */
export function checkConfiguration(source: YamlSource, now: number, files = readOnce()): LoadedConfiguration {
  const errorAt = (path: readonly PropertyKey[], text: string): ConfigurationProblem =>
    located({ path, text, severity: 'error' }, source);
  if (source.problems.length > 0) {
    const problems = source.problems.map((problem) => ({ ...problem, severity: 'error' as const }));
    return { configuration: undefined, problems, sections: { partners: [] }, errorAt, files };
  }
  const parsed = configurationSchema.safeParse(source.value ?? {});
  const sections = withAbsoluteFiles(
    parsed.success ? parsed.data : soundSections(withoutUnknownKeys(source.value, parsed.error.issues)),
    source.file,
  );
  const findings = [
    ...crossChecks(sections),
    ...identityChecks(sections, files),
    ...tlsChecks(sections, now, files),
  ].map((finding) => located(finding, source));
  const problems = inOrder(source.file, [
    ...(parsed.success ? [] : schemaProblems(parsed.error.issues, configurationSchema, source)).map((problem) => ({
      ...problem,
      severity: 'error' as const,
    })),
    ...findings,
  ]);
  const sound = parsed.success && !problems.some(({ severity }) => severity === 'error');
  return { configuration: sound ? (sections as Configuration) : undefined, problems, sections, errorAt, files };
}

/** Problems in the order of their lines in `file`, those of other files last. */
export function inOrder(file: string, problems: readonly ConfigurationProblem[]): readonly ConfigurationProblem[] {
  return problems.toSorted(
    (one, other) => Number(one.file !== file) - Number(other.file !== file) || one.line - other.line,
  );
}

/** One problem as it is printed: `file:line: key: text`. */
export function problemLine({ file, line, key, text, severity }: ConfigurationProblem): string {
  return `${file}:${line}: ${key}: ${severity === 'warning' ? 'warning: ' : ''}${text}`;
}

function located({ path, text, severity, at }: Finding, source: YamlSource): ConfigurationProblem {
  const { file, line } = at ?? { file: source.file, line: source.lineOf(path) };
  return { file, line, key: keyText(path), text, severity };
}

// A misspelt key shall not hide what else is wrong beside it.
function withoutUnknownKeys(value: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const pruned = structuredClone(value);
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    let holder: unknown = pruned;
    for (const step of issue.path) holder = (holder as Record<PropertyKey, unknown>)[step];
    for (const key of issue.keys) delete (holder as Record<string, unknown>)[key];
  }
  return pruned;
}

// A file with one broken section shall still hear of its overlapping domains: whatever parses by itself is checked.
function soundSections(value: unknown): Sections {
  const written = isRecord(value) ? value : {};
  const sections: Record<string, unknown> = { partners: [] };
  for (const [key, schema] of Object.entries(objectShape(configurationSchema) ?? {})) {
    if (key === 'partners') {
      const partner = arrayItem(schema);
      const list = Array.isArray(written[key]) ? written[key] : [];
      sections[key] = list.map((item) => (partner === undefined ? undefined : parseAlone(partner, item)));
    } else {
      sections[key] = parseAlone(schema, written[key]);
    }
  }
  return sections as unknown as Sections;
}

function parseAlone(schema: unknown, value: unknown): unknown {
  const outcome = (schema as typeof configurationSchema).safeParse(value);
  return outcome.success ? outcome.data : undefined;
}

function withAbsoluteFiles(sections: Sections, file: string): Sections {
  const folder = dirname(resolve(file));
  const absolute = (name: string): string => resolve(folder, name);
  const { sip } = sections;
  const { xcap, interconnect, identity, manage, storage, applicationUsages } = sections;
  return {
    ...sections,
    ...(xcap === undefined ? {} : { xcap: { ...xcap, listen: absoluteListener(xcap.listen, absolute) } }),
    ...(interconnect === undefined
      ? {}
      : { interconnect: { ...interconnect, listen: absoluteListener(interconnect.listen, absolute) } }),
    ...(identity === undefined ? {} : { identity: absoluteIdentity(identity, absolute) }),
    ...(manage === undefined ? {} : { manage: { ...manage, listen: absoluteListener(manage.listen, absolute) } }),
    ...(sip === undefined ? {} : { sip: absoluteSip(sip, absolute) }),
    ...(storage === undefined ? {} : { storage: absoluteStorage(storage, absolute) }),
    ...(applicationUsages === undefined
      ? {}
      : {
          applicationUsages: applicationUsages.map((usage) =>
            usage.schema === undefined ? usage : { ...usage, schema: absolute(usage.schema) },
          ),
        }),
    partners: sections.partners.map((partner) =>
      partner === undefined ? undefined : absolutePartner(partner, absolute),
    ),
  };
}

function absoluteStorage(
  storage: Configuration['storage'],
  absolute: (name: string) => string,
): Configuration['storage'] {
  const { sqlite, postgres } = storage;
  return {
    ...storage,
    ...(sqlite === undefined ? {} : { sqlite: absolute(sqlite) }),
    ...(postgres === undefined ? {} : { postgres: withAbsolutePostgresFiles(postgres, absolute) }),
  };
}

function absoluteListener(
  listen: Configuration['xcap']['listen'],
  absolute: (name: string) => string,
): Configuration['xcap']['listen'] {
  if (listen.tls === undefined) return listen;
  const { cert, key, clientCa, crl } = listen.tls;
  const authorities = clientCa === undefined ? {} : { clientCa: absolute(clientCa) };
  const lists = crl === undefined ? {} : { crl: absolute(crl) };
  return { ...listen, tls: { cert: absolute(cert), key: absolute(key), ...authorities, ...lists } };
}

function absoluteIdentity(
  identity: Configuration['identity'],
  absolute: (name: string) => string,
): Configuration['identity'] {
  const { tokens, digest } = identity;
  return {
    ...identity,
    ...(tokens === undefined
      ? {}
      : { tokens: { ...tokens, jwks: isUrl(tokens.jwks) ? tokens.jwks : absolute(tokens.jwks) } }),
    ...(digest === undefined ? {} : { digest: { ...digest, users: absolute(digest.users) } }),
  };
}

type SipConfiguration = NonNullable<Configuration['sip']>;

function absoluteSip(sip: SipConfiguration, absolute: (name: string) => string): SipConfiguration {
  const { tls, engine } = sip;
  return {
    ...sip,
    ...(tls === undefined ? {} : { tls: absoluteSipTls(tls, absolute) }),
    engine: engine === 'embedded' ? engine : { drachtio: absoluteDrachtio(engine.drachtio, absolute) },
  };
}

type DrachtioConfiguration = Exclude<SipConfiguration['engine'], 'embedded'>['drachtio'];

function absoluteDrachtio(drachtio: DrachtioConfiguration, absolute: (name: string) => string): DrachtioConfiguration {
  if (drachtio.tls === undefined) return drachtio;
  const { cert, key, clientCa, ...rest } = drachtio.tls;
  const authorities = clientCa === undefined ? {} : { clientCa: absolute(clientCa) };
  return { ...drachtio, tls: { ...rest, cert: absolute(cert), key: absolute(key), ...authorities } };
}

function absoluteSipTls(
  { cert, key, ca, crl, ...rest }: NonNullable<SipConfiguration['tls']>,
  absolute: (name: string) => string,
): NonNullable<SipConfiguration['tls']> {
  return {
    ...rest,
    cert: absolute(cert),
    key: absolute(key),
    ...(ca === undefined ? {} : { ca: absolute(ca) }),
    ...(crl === undefined ? {} : { crl: absolute(crl) }),
  };
}

function absolutePartner(partner: PartnerConfiguration, absolute: (name: string) => string): PartnerConfiguration {
  const { tls, inboundPolicy, outboundPolicy } = partner;
  return {
    ...partner,
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ...(tls.ca === undefined ? {} : { ca: absolute(tls.ca) }),
            ...(tls.crl === undefined ? {} : { crl: absolute(tls.crl) }),
          },
        }),
    ...(inboundPolicy === undefined ? {} : { inboundPolicy: absolute(inboundPolicy) }),
    ...(outboundPolicy === undefined ? {} : { outboundPolicy: absolute(outboundPolicy) }),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
