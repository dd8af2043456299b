// Makes revocation lists for tests, signed with the key of a test CA.
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { X509Certificate as Authority, X509CrlGenerator } from '@peculiar/x509';

/** PEM texts of a CA: an EC key on P-256. */
export interface ListingAuthority {
  readonly cert: string;
  readonly key: string;
}

/** A list, PEM, of these revoked certificates (PEM texts), to be renewed at `nextUpdate` (milliseconds since 1970; in an hour when left out). */
export async function revocationListOf(
  authority: ListingAuthority,
  revoked: readonly string[],
  nextUpdate: number = Date.now() + 3_600_000,
): Promise<string> {
  const pem = createPrivateKey(authority.key);
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    pem.export({ type: 'pkcs8', format: 'der' }),
    { name: 'ECDSA', namedCurve: 'P-256' },
    false,
    ['sign'],
  );
  const list = await X509CrlGenerator.create({
    issuer: new Authority(authority.cert).subject,
    thisUpdate: new Date(Math.min(Date.now(), nextUpdate) - 60_000),
    nextUpdate: new Date(nextUpdate),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    signingKey,
    entries: revoked.map((certificate) => ({
      serialNumber: new X509Certificate(certificate).serialNumber,
      revocationDate: new Date(Date.now() - 60_000),
    })),
  });
  // RFC 7468 6: the label is X509 CRL
  const lines =
    Buffer.from(list.rawData)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`;
}
