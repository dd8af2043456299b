// Where a SIP URI is served: transports, addresses and ports in order of preference (RFC 3263 4).
import dns from 'node:dns/promises';
import { isIP } from 'node:net';
import type { SipUri } from './address.ts';
import type { TransportName } from './transport.ts';

/** One address to try. */
export interface Candidate {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
  /** The name whose certificate is expected over TLS (RFC 5922 7.1: the domain asked for, not the server found). */
  readonly serverName: string;
}

/** What is asked of the name service; every function answers an empty list when there is nothing. */
export interface NameService {
  naptr(name: string): Promise<readonly { order: number; preference: number; service: string; replacement: string }[]>;
  srv(name: string): Promise<readonly { priority: number; weight: number; port: number; name: string }[]>;
  addresses(name: string): Promise<readonly string[]>;
}

/** A name service that is away must not cost more than the transaction would: two tries of two seconds for each question. */
const resolver = (): dns.Resolver => new dns.Resolver({ timeout: 2_000, tries: 2 });

/** The name service of the system, as it is configured at the moment. */
export const systemNames: NameService = {
  naptr: (name) =>
    resolver()
      .resolveNaptr(name)
      .catch(() => []),
  srv: (name) =>
    resolver()
      .resolveSrv(name)
      .catch(() => []),
  addresses: async (name) => {
    const found = await dns.lookup(name, { all: true }).catch(() => []);
    return found.map(({ address }) => address);
  },
};

const NAPTR_SERVICES: Readonly<Record<string, TransportName>> = {
  'SIP+D2U': 'udp',
  'SIP+D2T': 'tcp',
  'SIPS+D2T': 'tls',
};
const SRV_PREFIX: Readonly<Record<string, string>> = { udp: '_sip._udp.', tcp: '_sip._tcp.', tls: '_sips._tcp.' };
const CANDIDATE_LIMIT = 12;

/** The default port of a transport (RFC 3261 19.1.2, RFC 7118 5.5). */
function defaultPort(transport: TransportName): number {
  if (transport === 'tls') return 5061;
  if (transport === 'ws') return 80;
  return transport === 'wss' ? 443 : 5060;
}

/**
 * Candidates for a URI. Numeric hosts are answered at once, names by the name service.
 * @param usable which transports can be used from here
 * @param unspecified transports to try when neither the URI nor the name service says, best first
 */
export function locate(
  uri: SipUri,
  usable: (transport: TransportName) => boolean,
  names: NameService,
  unspecified: readonly TransportName[],
): readonly Candidate[] | Promise<readonly Candidate[]> {
  const host = uri.maddr ?? uri.host;
  const transports = transportsOf(uri, unspecified).filter(usable);
  if (isIP(host) !== 0) {
    return transports.map((transport) => ({
      transport,
      address: host,
      port: uri.port ?? defaultPort(transport),
      serverName: isIP(uri.host) === 0 ? uri.host : '',
    }));
  }
  return byName(uri, host, transports, usable, names);
}

function transportsOf(uri: SipUri, unspecified: readonly TransportName[]): readonly TransportName[] {
  const named = uri.transport;
  if (uri.scheme === 'sips') return [named === 'ws' || named === 'wss' ? 'wss' : 'tls'];
  if (named === 'udp' || named === 'tcp' || named === 'tls' || named === 'ws' || named === 'wss') return [named];
  return named === undefined ? unspecified : [];
}

async function byName(
  uri: SipUri,
  host: string,
  transports: readonly TransportName[],
  usable: (transport: TransportName) => boolean,
  names: NameService,
): Promise<readonly Candidate[]> {
  if (uri.port !== undefined) {
    const { port } = uri;
    const addresses = await names.addresses(host);
    return transports.flatMap((transport) =>
      addresses.map((address) => ({ transport, address, port, serverName: uri.host })),
    );
  }
  const services = uri.transport === undefined ? await naptrServices(uri, host, usable, names) : [];
  if (services.length === 0) {
    for (const transport of uri.transport === undefined ? (['tls', 'tcp', 'udp'] as const) : transports) {
      const prefix = SRV_PREFIX[transport];
      const fits = usable(transport) && (uri.scheme !== 'sips' || transport === 'tls');
      // RFC 3263 4.1: without NAPTR a SIP URI is asked for over UDP and TCP; TLS for it needs a NAPTR record.
      if (prefix && fits && (transport !== 'tls' || uri.scheme === 'sips' || uri.transport === 'tls')) {
        services.push({ transport, name: prefix + host });
      }
    }
  }
  const found: Candidate[] = [];
  for (const { transport, name } of services) {
    for (const target of orderServers(await names.srv(name))) {
      for (const address of await names.addresses(target.name)) {
        found.push({ transport, address, port: target.port, serverName: uri.host });
      }
      if (found.length >= CANDIDATE_LIMIT) return found;
    }
  }
  if (found.length > 0) return found;
  const addresses = await names.addresses(host);
  return transports.flatMap((transport) =>
    addresses.map((address) => ({ transport, address, port: defaultPort(transport), serverName: uri.host })),
  );
}

async function naptrServices(
  uri: SipUri,
  host: string,
  usable: (transport: TransportName) => boolean,
  names: NameService,
): Promise<{ transport: TransportName; name: string }[]> {
  const records = [...(await names.naptr(host))].sort((a, b) => a.order - b.order || a.preference - b.preference);
  return records.flatMap(({ service, replacement }) => {
    const transport = NAPTR_SERVICES[service.toUpperCase()];
    if (!transport || !usable(transport) || (uri.scheme === 'sips' && transport !== 'tls')) return [];
    return [{ transport, name: replacement }];
  });
}

/** By priority; within one priority drawn by weight (RFC 2782). A target that is the root says that there is no such service. */
function orderServers<T extends { priority: number; weight: number; name: string }>(servers: readonly T[]): T[] {
  return servers
    .filter(({ name }) => name !== '' && name !== '.')
    .map((server) => ({ server, draw: -Math.log(1 - Math.random()) / (server.weight || 0.01) }))
    .sort((a, b) => a.server.priority - b.server.priority || a.draw - b.draw)
    .map(({ server }) => server);
}
