// Certificates and keys that a configuration names, as PEM texts.
import type { ConfiguredFiles } from '../config/configured-files.ts';
import type { Configuration, ListenerConfiguration, PartnerConfiguration } from '../config/schema.ts';
import { revocationBlocks } from '../identity/revocation-lists.ts';
import { tlsSuites } from '../identity/tls-suites.ts';
import type { ControlTls } from '../sip/engine/control-server.ts';
import type { TlsMaterial } from '../sip/engine/tls-identity.ts';

export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string | undefined;
  /** Revocation lists, one in each text. */
  readonly crl?: readonly string[] | undefined;
}

/** The TLS material of a listener; undefined when it is plain TCP. Throws when a file cannot be read. */
export function listenerTls({ tls }: ListenerConfiguration, files: ConfiguredFiles): TlsTexts | undefined {
  if (tls === undefined) return undefined;
  const clientCa = tls.clientCa === undefined ? undefined : files.text(tls.clientCa);
  return { cert: files.text(tls.cert), key: files.text(tls.key), clientCa, crl: revocationTexts([tls.crl], files) };
}

/** The TLS material of the interconnect face, whose client CAs are the common one and those of single partners. */
export function interconnectTls(configuration: Configuration, files: ConfiguredFiles): TlsTexts | undefined {
  const { interconnect, partners } = configuration;
  const tls = interconnect === undefined ? undefined : listenerTls(interconnect.listen, files);
  if (tls === undefined) return undefined;
  const own = partners.flatMap((partner) => (partner.tls?.ca === undefined ? [] : [files.text(partner.tls.ca)]));
  const clientCa = [...new Set([tls.clientCa ?? '', ...own])].join('\n');
  return { ...tls, clientCa, crl: partnerRevocations(configuration, files) };
}

/** The TLS material of the embedded SIP engine; undefined without `sip.tls`. Throws when a file cannot be read. */
export function sipTls({ sip }: Configuration, files: ConfiguredFiles): TlsMaterial | undefined {
  if (sip?.tls === undefined) return undefined;
  const { cert, key, ca, crl, requireClientCertificate = false } = sip.tls;
  const lists = revocationTexts([crl], files);
  return {
    cert: files.text(cert),
    key: files.text(key),
    ciphers: tlsSuites,
    requireClientCertificate,
    ...(ca === undefined ? {} : { ca: files.text(ca) }),
    ...(lists === undefined ? {} : { crl: [...lists] }),
  };
}

/** TLS of the control port that `mcgw engine` offers; undefined without. Throws when a file cannot be read. */
export function controlTls({ sip }: Configuration, files: ConfiguredFiles): ControlTls | undefined {
  const tls = sip === undefined || sip.engine === 'embedded' ? undefined : sip.engine.drachtio.tls;
  if (tls === undefined) return undefined;
  const { port, cert, key, clientCa } = tls;
  return {
    port,
    cert: files.text(cert),
    key: files.text(key),
    clientCa: clientCa === undefined ? undefined : files.text(clientCa),
  };
}

/** CAs that may vouch for a partner: its own, or the common one. */
export function partnerAuthority(
  configuration: Configuration,
  partner: PartnerConfiguration,
  files: ConfiguredFiles,
): string {
  const file = partner.tls?.ca ?? configuration.interconnect?.listen.tls?.clientCa;
  return file === undefined ? '' : files.text(file);
}

/** Revocation lists of all CAs that may vouch for partners, one in each text; undefined when none is configured. */
export function partnerRevocations(
  { interconnect, partners }: Configuration,
  files: ConfiguredFiles,
): readonly string[] | undefined {
  return revocationTexts([interconnect?.listen.tls?.crl, ...partners.map((partner) => partner.tls?.crl)], files);
}

function revocationTexts(
  names: readonly (string | undefined)[],
  files: ConfiguredFiles,
): readonly string[] | undefined {
  const named = new Set(names.filter((name) => name !== undefined));
  return named.size === 0 ? undefined : [...named].flatMap((name) => revocationBlocks(files.text(name)));
}
