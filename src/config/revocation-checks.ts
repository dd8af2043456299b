// Reads the revocation lists that a configuration names and says what would shut callers out:
// lists that nobody signed, that are out of date, and CAs that have none while others do.
import type { X509Certificate } from 'node:crypto';
import { certificatesOf, type RevocationList, readRevocationLists } from '../identity/revocation-lists.ts';
import { type ConfiguredFiles, readOnce } from './configured-files.ts';
import type { Finding, Sections } from './cross-checks.ts';

const warnBefore = 24 * 60 * 60 * 1000;

/** One set of CAs with their lists: a listener, or the interconnect face with the CAs of single partners. */
interface Trust {
  readonly authorities: readonly Named[];
  readonly lists: readonly Named[];
}

/** A file at its key. */
interface Named {
  readonly path: readonly PropertyKey[];
  readonly file: string;
}

/** Everything wrong with the revocation lists of the sections at the instant `now` (milliseconds since 1970). */
export async function revocationChecks(
  sections: Sections,
  now: number,
  files = readOnce(),
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const trust of trusts(sections)) findings.push(...(await trustChecks(trust, now, files)));
  return findings;
}

function trusts({ xcap, interconnect, manage, sip, partners }: Sections): readonly Trust[] {
  const listeners = Object.entries({ xcap, interconnect, manage }).map(([name, section]): Trust => {
    const tls = section?.listen.tls;
    const own = name === 'interconnect' ? partners : [];
    const ofPartners = (key: 'ca' | 'crl'): readonly Named[] =>
      own.flatMap((partner, index) => named(['partners', index, 'tls', key], partner?.tls?.[key]));
    return {
      authorities: [...named([name, 'listen', 'tls', 'clientCa'], tls?.clientCa), ...ofPartners('ca')],
      lists: [...named([name, 'listen', 'tls', 'crl'], tls?.crl), ...ofPartners('crl')],
    };
  });
  return [
    ...listeners,
    {
      authorities: named(['sip', 'tls', 'ca'], sip?.tls?.ca),
      lists: named(['sip', 'tls', 'crl'], sip?.tls?.crl),
    },
  ];
}

function named(path: readonly PropertyKey[], file: string | undefined): readonly Named[] {
  return file === undefined ? [] : [{ path, file }];
}

async function trustChecks(
  { authorities, lists }: Trust,
  now: number,
  files: ConfiguredFiles,
): Promise<readonly Finding[]> {
  if (lists.length === 0) return [];
  const findings: Finding[] = [];
  const certificates = authorities.map((named) => ({ ...named, certificates: readable(named.file, files) }));
  const all = certificates.flatMap((named) => named.certificates);
  const found: RevocationList[] = [];
  for (const { path, file } of lists) {
    const text = textOf(file, files);
    if (text === undefined) {
      findings.push({ path, text: `${file} cannot be read`, severity: 'error' });
      continue;
    }
    const read = text === '' ? { lists: [], problems: ['is empty'] } : await readRevocationLists(text, all);
    found.push(...read.lists);
    findings.push(
      ...read.problems.map((problem): Finding => ({ path, text: `${file} ${problem}`, severity: 'error' })),
    );
    for (const { issuer, nextUpdate } of read.lists) {
      const left = nextUpdate === undefined ? Number.POSITIVE_INFINITY : nextUpdate.getTime() - now;
      if (left > warnBefore || nextUpdate === undefined) continue;
      const when = `${left <= 0 ? 'had to be renewed' : 'must be renewed'} by ${nextUpdate.toISOString()}`;
      const text = `${file}: the list of ${nameOf(issuer)} ${when}`;
      findings.push({ path, text, severity: left <= 0 ? 'error' : 'warning' });
    }
  }
  for (const { path, certificates: ofFile } of certificates) {
    for (const certificate of ofFile) {
      if (found.some(({ issuer }) => issuer.fingerprint256 === certificate.fingerprint256)) continue;
      // TLS checks either every certificate against a list, or none
      const text = `no revocation list of ${nameOf(certificate)} is configured, so each of its certificates would be refused`;
      findings.push({ path, text, severity: 'error' });
    }
  }
  return findings;
}

// What is wrong with certificates is told by the checks of TLS files.
function readable(file: string, files: ConfiguredFiles): readonly X509Certificate[] {
  try {
    return certificatesOf(files.text(file));
  } catch {
    return [];
  }
}

function textOf(file: string, files: ConfiguredFiles): string | undefined {
  try {
    return files.text(file).trim();
  } catch {
    return undefined;
  }
}

function nameOf(certificate: X509Certificate): string {
  return certificate.subject.replaceAll('\n', ', ');
}
