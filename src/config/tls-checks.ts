// Reads the certificates and keys that a configuration names and says what would fail in a handshake:
// missing files, no PEM, key and certificate that do not belong together, expiry, a name that the root's host does not have.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { ConfiguredFiles } from './configured-files.ts';
import type { Finding, Sections } from './cross-checks.ts';
import { postgresAddress } from './storage-checks.ts';

const day = 24 * 60 * 60 * 1000;
const warnBefore = 30 * day;

interface Look {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly files: ConfiguredFiles;
  /** Takes what is found. */
  readonly findings: Finding[];
}

/** Everything wrong with the TLS files of the sections at the instant `now` (milliseconds since 1970). */
export function tlsChecks(sections: Sections, now: number, files: ConfiguredFiles): readonly Finding[] {
  const findings: Finding[] = [];
  const look: Look = { now, files, findings };
  for (const name of ['xcap', 'interconnect', 'manage'] as const) {
    const section = sections[name];
    const tls = section?.listen.tls;
    if (section === undefined || tls === undefined) continue;
    const at = (key: string): readonly PropertyKey[] => [name, 'listen', 'tls', key];
    const certificate = readPair(tls, at, look);
    if (certificate !== undefined && 'root' in section && URL.canParse(section.root)) {
      const url = new URL(section.root);
      const host = url.hostname.replace(/^\[|\]$/g, '');
      const named = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
      if (url.protocol === 'https:' && named === undefined) {
        findings.push({
          path: at('cert'),
          text: `does not name ${host}, the host of ${name}.root`,
          severity: 'warning',
        });
      }
    }
    if (tls.clientCa !== undefined) readAuthorities(tls.clientCa, at('clientCa'), look);
  }
  const sipTls = sections.sip?.tls;
  if (sipTls !== undefined) {
    const at = (key: string): readonly PropertyKey[] => ['sip', 'tls', key];
    readPair(sipTls, at, look);
    if (sipTls.ca !== undefined) readAuthorities(sipTls.ca, at('ca'), look);
  }
  const engine = sections.sip?.engine;
  const controlTls = engine === undefined || engine === 'embedded' ? undefined : engine.drachtio.tls;
  if (controlTls !== undefined) {
    const at = (key: string): readonly PropertyKey[] => ['sip', 'engine', 'drachtio', 'tls', key];
    readPair(controlTls, at, look);
    if (controlTls.clientCa !== undefined) readAuthorities(controlTls.clientCa, at('clientCa'), look);
  }
  const { postgres } = sections.storage ?? {};
  const databaseTls = postgres === undefined ? undefined : postgresAddress(postgres)?.tls;
  if (databaseTls !== undefined) {
    const at = (): readonly PropertyKey[] => ['storage', 'postgres'];
    const { ca, cert, key } = databaseTls;
    if (cert !== undefined && key !== undefined) readPair({ cert, key }, at, look);
    if (ca !== undefined) readAuthorities(ca, at(), look);
  }
  for (const [index, partner] of sections.partners.entries()) {
    const ca = partner?.tls?.ca;
    if (ca !== undefined) readAuthorities(ca, ['partners', index, 'tls', 'ca'], look);
  }
  return findings;
}

/** The first certificate of a pair, after both files were checked. */
function readPair(
  { cert, key: keyFile }: { readonly cert: string; readonly key: string },
  at: (key: string) => readonly PropertyKey[],
  look: Look,
): X509Certificate | undefined {
  const certificate = readCertificates(cert, at('cert'), look)[0];
  const key = readKey(keyFile, at('key'), look);
  if (certificate !== undefined && key !== undefined && !certificate.checkPrivateKey(key)) {
    look.findings.push({ path: at('key'), text: `is not the key of ${cert}`, severity: 'error' });
  }
  return certificate;
}

function readAuthorities(file: string, path: readonly PropertyKey[], look: Look): void {
  for (const certificate of readCertificates(file, path, look)) {
    if (!certificate.ca)
      look.findings.push({ path, text: `${file} holds a certificate that is no CA`, severity: 'error' });
  }
}

function readCertificates(file: string, path: readonly PropertyKey[], look: Look): readonly X509Certificate[] {
  const pem = readText(file, path, look);
  if (pem === undefined) return [];
  const { findings, now } = look;
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  const certificates: X509Certificate[] = [];
  try {
    for (const block of blocks) certificates.push(new X509Certificate(block));
  } catch {
    findings.push({ path, text: `${file} holds a certificate that cannot be read`, severity: 'error' });
    return [];
  }
  if (certificates.length === 0) findings.push({ path, text: `${file} holds no PEM certificate`, severity: 'error' });
  for (const certificate of certificates) {
    const until = certificate.validToDate.getTime();
    const from = certificate.validFromDate.getTime();
    const [kind, text]: [Finding['severity'] | 'none', string] =
      until <= now
        ? ['error', `${file} expired on ${certificate.validToDate.toISOString()}`]
        : from > now
          ? ['error', `${file} is not valid before ${certificate.validFromDate.toISOString()}`]
          : until - now < warnBefore
            ? ['warning', `${file} expires in ${daysText(Math.ceil((until - now) / day))}`]
            : ['none', ''];
    if (kind !== 'none') findings.push({ path, text, severity: kind });
  }
  return certificates;
}

function readKey(file: string, path: readonly PropertyKey[], look: Look) {
  const pem = readText(file, path, look);
  if (pem === undefined) return undefined;
  const { files, findings } = look;
  if (files.isOpenToOthers(file)) {
    findings.push({ path, text: `${file} can be read by others than its owner`, severity: 'warning' });
  }
  try {
    return createPrivateKey(pem);
  } catch {
    findings.push({ path, text: `${file} holds no private key that can be read`, severity: 'error' });
    return undefined;
  }
}

function readText(file: string, path: readonly PropertyKey[], { files, findings }: Look): string | undefined {
  try {
    return files.text(file);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    findings.push({ path, text: `${file} ${missing ? 'does not exist' : 'cannot be read'}`, severity: 'error' });
    return undefined;
  }
}

function daysText(count: number): string {
  return `${count} ${count === 1 ? 'day' : 'days'}`;
}
