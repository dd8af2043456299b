// Whose certificate it is: the configured partner it belongs to, by subject alternative name or by the hash of its key,
// and on the own face the identities that stand in it.
import { createHash, X509Certificate } from 'node:crypto';
import type { PartnerConfiguration } from '../config/schema.ts';
import { canonicalUri } from './uri.ts';

/** What recognising a partner needs to know of a certificate whose chain has been verified. */
export interface CertificateFacts {
  /** Subject alternative names of type DNS and URI, lower case. */
  readonly names: readonly string[];
  /** Base64 SHA-256 of the subject public key info. */
  readonly spki: string;
  /** SHA-256 fingerprints of the certificate and of all that vouch for it, up to the trust anchor. */
  readonly chain: readonly string[];
}

/** Canonical identities that stand in a certificate, none or more; or that it cannot be told which. */
export type CertificateIdentities = readonly string[] | 'malformed';

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
    names: namesToPin(own.subjectAltName ?? ''),
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

/**
 * The SIP, SIPS and TEL URIs among the subject alternative names of a certificate, canonical and without repetition. Malformed when one of
 * its URIs is none, since half of a certificate must not be believed. RFC 5280 clause 4.2.1.6.
 */
export function certificateIdentities({
  subjectAltName,
}: Pick<X509Certificate, 'subjectAltName'>): CertificateIdentities {
  const identities = new Set<string>();
  const names = alternativeNames(subjectAltName ?? '');
  if (names === undefined) return 'malformed';
  for (const { kind, name } of names) {
    if (kind !== 'URI') continue;
    // RFC 3986 2: a URI holds neither spaces nor controls, nor anything beyond US-ASCII
    const uri = /^[!-~]+$/.test(name) ? canonicalUri(name) : undefined;
    if (uri === undefined) return 'malformed';
    if (/^(sips?|tel):/.test(uri)) identities.add(uri);
  }
  return [...identities];
}

interface AlternativeName {
  /** As Node prints it: `DNS`, `URI`, `IP Address`, `email` and others. */
  readonly kind: string;
  readonly name: string;
}

// Node prints a name that holds commas or quotes as a JSON string, so that it cannot pass for two names. Undefined when the text is
// anything but a list of such names
function alternativeNames(text: string): readonly AlternativeName[] | undefined {
  const names: AlternativeName[] = [];
  const entry = /([^:,"]+):(?:("(?:[^"\\]|\\.)*")|([^,"]*))(?:, |$)/y;
  for (let end = 0; end < text.length; end = entry.lastIndex) {
    const found = entry.exec(text);
    if (found === null) return undefined;
    const [, kind = '', quoted, bare = ''] = found;
    names.push({ kind, name: quoted === undefined ? bare : String(JSON.parse(quoted)) });
  }
  return names;
}

function namesToPin(text: string): readonly string[] {
  return (alternativeNames(text) ?? [])
    .filter(({ kind, name }) => (kind === 'DNS' || kind === 'URI') && name !== '')
    .map(({ name }) => name.toLowerCase());
}
