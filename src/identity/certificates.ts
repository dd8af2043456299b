// Which configured partner a peer's certificate belongs to: by subject alternative name or by the hash of its key.
import { createHash, X509Certificate } from 'node:crypto';
import type { PartnerConfiguration } from '../config/schema.ts';

/** What recognising a partner needs to know of a certificate whose chain has been verified. */
export interface CertificateFacts {
  /** Subject alternative names of type DNS and URI, lower case. */
  readonly names: readonly string[];
  /** Base64 SHA-256 of the subject public key info. */
  readonly spki: string;
  /** SHA-256 fingerprints of the certificate and of all that vouch for it, up to the trust anchor. */
  readonly chain: readonly string[];
}

/** A partner as certificates recognise it. */
export interface CertificateHolder {
  readonly name: string;
  readonly certificates: PartnerConfiguration['certificates'];
  /** Fingerprints of the CAs that may vouch for this partner; absent = any trusted one. */
  readonly authorities?: readonly string[] | undefined;
}

/** Facts of one certificate (DER or PEM) and of the certificates above it, nearest first. Throws when one cannot be parsed. */
export function certificateFacts(
  certificate: Uint8Array | string,
  above: readonly (Uint8Array | string)[] = [],
): CertificateFacts {
  const own = new X509Certificate(certificate);
  const spki = own.publicKey.export({ type: 'spki', format: 'der' });
  return {
    names: alternativeNames(own.subjectAltName ?? ''),
    spki: createHash('sha256').update(spki).digest('base64'),
    chain: [own, ...above.map((one) => new X509Certificate(one))].map((one) => one.fingerprint256),
  };
}

/** Fingerprints of all certificates in a PEM text. Throws when one cannot be parsed. */
export function fingerprints(pem: string): readonly string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block).fingerprint256);
}

/** True when the certificate carries one of the holder's names or keys and one of the holder's CAs vouches for it. */
export function certificateMatches(certificate: CertificateFacts, holder: CertificateHolder): boolean {
  const { authorities } = holder;
  // With a CA per partner, one partner's CA must not be able to vouch for another partner's name
  if (authorities !== undefined && !certificate.chain.some((one) => authorities.includes(one))) return false;
  return holder.certificates.some((pin) =>
    'san' in pin ? certificate.names.includes(pin.san.toLowerCase()) : certificate.spki === pin.spki,
  );
}

// Node prints a name that holds commas or quotes as a JSON string, so that it cannot pass for two names
function alternativeNames(text: string): readonly string[] {
  const names: string[] = [];
  for (const [, kind, quoted, bare] of text.matchAll(/(?:^|, )([^:,"]+):(?:("(?:[^"\\]|\\.)*")|([^,"]*))/g)) {
    if (kind !== 'DNS' && kind !== 'URI') continue;
    const name: unknown = quoted === undefined ? bare : JSON.parse(quoted);
    if (typeof name === 'string' && name !== '') names.push(name.toLowerCase());
  }
  return names;
}
