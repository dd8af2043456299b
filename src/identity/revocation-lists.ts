// Certificate revocation lists of the CAs that vouch for partners and callers, RFC 5280 clause 5.
// TLS applies them by itself; what is read here is for checks before a start, for warnings, and for certificates that an edge proxy conveys.
import { X509Certificate } from 'node:crypto';

/** A list whose signature was verified. */
export interface RevocationList {
  readonly issuer: X509Certificate;
  /** When the issuer promised the next one; undefined = never. */
  readonly nextUpdate: Date | undefined;
  /** Serial numbers, hexadecimal in upper case without leading zeros. */
  readonly serials: ReadonlySet<string>;
}

export interface RevocationLists {
  readonly lists: readonly RevocationList[];
  /** Why blocks of the text are no lists of the CAs, for people. */
  readonly problems: readonly string[];
}

/** The blocks of a PEM text that are revocation lists, each a text of its own. */
export function revocationBlocks(pem: string): readonly string[] {
  return pem.match(/-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g) ?? [];
}

/** The certificates of a PEM text. Throws when one cannot be parsed. */
export function certificatesOf(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return [...new Set(blocks)].map((block) => new X509Certificate(block));
}

/** Reads the lists in a PEM text and verifies that the authorities signed them. Never throws for what is wrong with the text. */
export async function readRevocationLists(
  pem: string,
  authorities: readonly X509Certificate[],
): Promise<RevocationLists> {
  const blocks = revocationBlocks(pem);
  if (blocks.length === 0) return { lists: [], problems: pem === '' ? [] : ['holds no PEM revocation list'] };
  // 200 ms and 20 MB that only those spend who have lists
  const { X509Crl, X509Certificate: Authority } = await import('@peculiar/x509');
  const candidates = authorities.map((node) => {
    const parsed = new Authority(node.raw);
    return { node, parsed, name: Buffer.from(parsed.subjectName.toArrayBuffer()) };
  });
  const lists: RevocationList[] = [];
  const problems: string[] = [];
  for (const block of blocks) {
    try {
      const list = new X509Crl(block);
      const name = Buffer.from(list.issuerName.toArrayBuffer());
      let issuer: X509Certificate | undefined;
      for (const candidate of candidates) {
        if (!candidate.name.equals(name) || !(await list.verify({ publicKey: candidate.parsed }))) continue;
        issuer = candidate.node;
      }
      if (issuer === undefined) problems.push(`holds a revocation list of ${list.issuer}, which is none of the CAs`);
      else {
        const serials = new Set(list.entries.map(({ serialNumber }) => serialOf(serialNumber)));
        lists.push({ issuer, nextUpdate: list.nextUpdate, serials });
      }
    } catch {
      problems.push('holds a revocation list that cannot be read');
    }
  }
  return { lists, problems };
}

/**
 * Whether a certificate may no longer be believed: its issuer's list names it, or, when there are lists at all, the issuer has none that
 * is still in time (RFC 5280 clause 6.3.3: undetermined is not good). `now`: milliseconds since 1970.
 */
export function isRevoked(
  certificate: X509Certificate,
  issuer: X509Certificate,
  lists: readonly RevocationList[],
  now: number,
): boolean {
  if (lists.length === 0) return false;
  const current = lists.filter(
    (list) =>
      list.issuer.fingerprint256 === issuer.fingerprint256 &&
      (list.nextUpdate === undefined || list.nextUpdate.getTime() > now),
  );
  const serial = serialOf(certificate.serialNumber);
  return current.length === 0 || current.some(({ serials }) => serials.has(serial));
}

function serialOf(hexadecimal: string): string {
  return hexadecimal.toUpperCase().replace(/^0+(?=.)/, '');
}
