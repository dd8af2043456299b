// Certificates and keys that a configuration names, as PEM texts.
import { readFileSync } from 'node:fs';
import type { Configuration, ListenerConfiguration, PartnerConfiguration } from '../config/schema.ts';
import type { TlsMaterial } from '../sip/engine/tls-identity.ts';

export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string | undefined;
}

/** The TLS material of a listener; undefined when it is plain TCP. Throws when a file cannot be read. */
export function listenerTls({ tls }: ListenerConfiguration): TlsTexts | undefined {
  if (tls === undefined) return undefined;
  const clientCa = tls.clientCa === undefined ? undefined : readPem(tls.clientCa);
  return { cert: readPem(tls.cert), key: readPem(tls.key), clientCa };
}

/** The TLS material of the interconnect face, whose client CAs are the common one and those of single partners. */
export function interconnectTls(configuration: Configuration): TlsTexts | undefined {
  const { interconnect, partners } = configuration;
  const tls = interconnect === undefined ? undefined : listenerTls(interconnect.listen);
  if (tls === undefined) return undefined;
  const own = partners.flatMap((partner) => (partner.tls?.ca === undefined ? [] : [readPem(partner.tls.ca)]));
  return { ...tls, clientCa: [...new Set([tls.clientCa ?? '', ...own])].join('\n') };
}

/** The TLS material of the embedded SIP engine; undefined without `sip.tls`. Throws when a file cannot be read. */
export function sipTls({ sip }: Configuration): TlsMaterial | undefined {
  if (sip?.tls === undefined) return undefined;
  const { cert, key, ca } = sip.tls;
  return { cert: readPem(cert), key: readPem(key), ...(ca === undefined ? {} : { ca: readPem(ca) }) };
}

/** CAs that may vouch for a partner: its own, or the common one. */
export function partnerAuthority(configuration: Configuration, partner: PartnerConfiguration): string {
  const file = partner.tls?.ca ?? configuration.interconnect?.listen.tls?.clientCa;
  return file === undefined ? '' : readPem(file);
}

function readPem(file: string): string {
  return readFileSync(file, 'utf8');
}
