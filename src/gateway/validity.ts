// How long the certificates and revocation lists of a configuration are good: for metrics, and for warnings in time.
import type { Logger } from 'pino';
import type { ConfiguredFiles } from '../config/configured-files.ts';
import type { Configuration } from '../config/schema.ts';
import { certificatesOf, readRevocationLists } from '../identity/revocation-lists.ts';

/** The part of a file that runs out first. */
export interface Validity {
  /** The configuration key that names the file; partners by their names. */
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** Warned of so long before, milliseconds. */
  readonly warnBefore: number;
}

const day = 24 * 60 * 60 * 1000;

/** Reads all files. Throws when one cannot be read; a configuration that was checked has none. */
export async function validities(configuration: Configuration, texts: ConfiguredFiles): Promise<readonly Validity[]> {
  const { xcap, interconnect, manage, sip, partners } = configuration;
  const found: Validity[] = [];
  const look = async (place: string, files: TlsFiles | undefined): Promise<void> => {
    if (files === undefined) return;
    const { cert, crl } = files;
    const authorities = files.clientCa ?? files.ca;
    const named = { cert, [files.clientCa === undefined ? 'ca' : 'clientCa']: authorities };
    for (const [key, file] of Object.entries(named)) {
      if (file === undefined) continue;
      const ends = certificatesOf(texts.text(file)).map(({ validToDate }) => validToDate.getTime());
      if (ends.length > 0) found.push({ key: `${place}.${key}`, until: Math.min(...ends), warnBefore: 30 * day });
    }
    if (crl === undefined || authorities === undefined) return;
    const anchors = certificatesOf(texts.text(authorities));
    const { lists } = await readRevocationLists(texts.text(crl), anchors);
    const ends = lists.flatMap(({ nextUpdate }) => (nextUpdate === undefined ? [] : [nextUpdate.getTime()]));
    if (ends.length > 0) found.push({ key: `${place}.crl`, until: Math.min(...ends), warnBefore: day });
  };
  await look('xcap.listen.tls', xcap.listen.tls);
  await look('interconnect.listen.tls', interconnect?.listen.tls);
  await look('manage.listen.tls', manage?.listen.tls);
  await look('sip.tls', sip?.tls);
  for (const { name, tls } of partners) await look(`partners.${name}.tls`, tls);
  return found;
}

interface TlsFiles {
  readonly cert?: string | undefined;
  readonly clientCa?: string | undefined;
  readonly ca?: string | undefined;
  readonly crl?: string | undefined;
}

/**
 * Warns in the log of everything that runs out soon, at once and then once a day. `now`: milliseconds since 1970. The result ends that.
 */
export function warnOfExpiry(current: () => readonly Validity[], now: () => number, log: Logger): () => void {
  const warn = (): void => {
    for (const { key, until, warnBefore } of current()) {
      const left = until - now();
      if (left > warnBefore) continue;
      const fields = { key, until: new Date(until).toISOString() };
      if (left <= 0) log.error(fields, 'a certificate or revocation list has expired');
      else log.warn(fields, 'a certificate or revocation list expires soon');
    }
  };
  warn();
  const timer = setInterval(warn, day);
  timer.unref();
  return () => clearInterval(timer);
}
