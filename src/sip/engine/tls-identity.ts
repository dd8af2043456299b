// TLS for SIP: what a listener needs, whom an outgoing connection trusts (RFC 5922), and who a peer proved to be.

import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate, type TLSSocket } from 'node:tls';

/** Certificate, key and authorities, PEM text. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  /** Authorities whose client and server certificates are accepted; the system's for servers when absent. */
  readonly ca?: string;
  /** Revocation lists of `ca`, PEM texts of one each. */
  readonly crl?: string[];
  /** Suites as node:tls names them; its own choice when absent. */
  readonly ciphers?: string;
  /** Refuse connections without a valid client certificate. */
  readonly requireClientCertificate?: boolean;
}

/** Options of an outgoing connection that expects the certificate of `name` (RFC 5922 7.1). */
export function verifyTlsPeer(name: string): {
  servername?: string;
  checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined;
} {
  return {
    // RFC 6066 3: an address is no server name.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_host, certificate) =>
      sipUris(certificate).includes(name.toLowerCase()) ? undefined : checkServerIdentity(name, certificate),
  };
}

/** The first DNS name or SIP domain of a verified peer certificate, '' when there is none. */
export function certificateIdentity(socket: TLSSocket): string {
  if (!socket.authorized) return '';
  const certificate = socket.getPeerCertificate();
  const names = (certificate.subjectaltname ?? '').split(/,\s*/);
  const dns = names.find((name) => name.startsWith('DNS:'));
  return dns?.slice(4).toLowerCase() ?? sipUris(certificate)[0] ?? '';
}

function sipUris(certificate: PeerCertificate): string[] {
  return (certificate.subjectaltname ?? '')
    .split(/,\s*/)
    .filter((name) => name.startsWith('URI:sip:') && !name.includes('@'))
    .map((name) => name.slice(8).toLowerCase());
}
