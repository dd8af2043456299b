// The certificate at the other end of a TLS connection, looked at once for each connection.
import type { Socket } from 'node:net';
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';
import {
  type CertificateFacts,
  type CertificateIdentities,
  certificateFacts,
  certificateIdentities,
} from '../identity/certificates.ts';

/** Facts of the peer's certificate; undefined without TLS, without certificate, or when it does not chain to a trusted CA. */
export function peerCertificate(socket: Socket): CertificateFacts | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const known = seen.get(socket);
  if (known !== undefined) return known;
  const facts = factsOf(socket.getPeerCertificate(true));
  if (facts !== undefined) seen.set(socket, facts);
  return facts;
}

/** Why the certificate of the peer was not believed, in the words of TLS: `CERT_REVOKED`; undefined when it was, or none was shown. */
export function peerCertificateFault(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || socket.authorized || socket.getPeerX509Certificate() === undefined) {
    return undefined;
  }
  // Typed as an Error, but at a server Node.js leaves the code there.
  const fault = socket.authorizationError as Error | string | undefined;
  return fault instanceof Error ? fault.message : fault;
}

/** Identities in the peer's certificate; undefined without TLS, without certificate, or when it does not chain to a trusted CA. */
export function peerIdentities(socket: Socket): CertificateIdentities | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const known = identified.get(socket);
  if (known !== undefined) return known;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const identities = certificateIdentities(certificate);
  identified.set(socket, identities);
  return identities;
}

/** Facts of a certificate as Node's TLS hands it over; undefined when it cannot be parsed. */
export function factsOf(certificate: DetailedPeerCertificate): CertificateFacts | undefined {
  const above: Buffer[] = [];
  // The last certificate of a complete chain is its own issuer
  for (let one = certificate; one.issuerCertificate && one.issuerCertificate !== one && above.length < 16; ) {
    one = one.issuerCertificate;
    above.push(one.raw);
  }
  try {
    return certificateFacts(certificate.raw, above);
  } catch {
    return undefined;
  }
}

const seen = new WeakMap<TLSSocket, CertificateFacts>();
const identified = new WeakMap<TLSSocket, CertificateIdentities>();
