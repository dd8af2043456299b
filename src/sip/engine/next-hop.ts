// Where a request goes: Request-URI and Route from the dialog's route set (RFC 3261 12.2.1.1, 16.12.1.2), and the
// addresses to try, nearest first.
import { BlockList, isIP } from 'node:net';
import { parseAddress, parseSipUri, type SipUri } from './address.ts';
import type { Core, EngineDialog, NatDetection } from './core.ts';
import { type Candidate, locate } from './locate.ts';
import type { Flow, TransportName } from './transport.ts';

/** How a request is addressed. */
export interface Routing {
  readonly requestUri: string;
  /** Route values, complete header field values. */
  readonly routes: readonly string[];
  /** URI that decides where it is sent. */
  readonly target: SipUri;
  /** A way that is known already and comes before all others. */
  readonly known: Flow | undefined;
  /** Where a request goes that found nobody at all other addresses, or that need not be tried there. */
  readonly otherwise: Flow | 'target' | undefined;
  /** Transports to try when the URI names none, best first. */
  readonly unspecified: readonly TransportName[];
}

// Only what cannot be UDP falls back to it: a silent UDP peer would cost 32 seconds before TCP is tried.
const UDP_ONLY: readonly TransportName[] = ['udp'];
const TCP_FIRST: readonly TransportName[] = ['tcp', 'udp'];
const TCP_ONLY: readonly TransportName[] = ['tcp'];
const TLS_ONLY: readonly TransportName[] = ['tls'];

/** Addressing of a request within a dialog; undefined when its remote target cannot be reached by SIP. */
export function dialogRouting(core: Core, dialog: EngineDialog): Routing | undefined {
  const first = dialog.routeSet[0];
  const unspecified = preferred(core, dialog.transport);
  if (first === undefined) {
    const target = parseSipUri(dialog.remoteTarget);
    if (!target) return undefined;
    const ways = knownWays(dialog, target, core.natDetection);
    return { requestUri: dialog.remoteTarget, routes: [], target, ...ways, unspecified };
  }
  const uri = parseAddress(first)?.uri ?? '';
  const target = parseSipUri(uri);
  if (!target) return undefined;
  const ways = { known: proxyConnection(dialog, target), otherwise: undefined, unspecified };
  if (target.loose) return { requestUri: dialog.remoteTarget, routes: dialog.routeSet, target, ...ways };
  // A strict router takes the Request-URI for itself and finds the remote target last in Route.
  const routes = [...dialog.routeSet.slice(1), `<${dialog.remoteTarget}>`];
  return { requestUri: uri, routes, target, ...ways };
}

/** Addressing of a request outside dialogs. @param nextHop URI of a proxy to send to, '' for none */
export function freeRouting(core: Core, requestUri: string, nextHop: string): Routing | undefined {
  const target = parseSipUri(nextHop === '' ? requestUri : nextHop);
  if (!target) return undefined;
  const routes = nextHop !== '' && target.loose ? [`<${nextHop}>`] : [];
  return { requestUri, routes, target, known: undefined, otherwise: undefined, unspecified: preferred(core, 'udp') };
}

/** The addresses to try for this routing. */
export function candidatesOf(core: Core, routing: Routing): readonly Candidate[] | Promise<readonly Candidate[]> {
  const { transports, names } = core;
  const usable = (transport: TransportName) => transport !== 'udp' || transports.hasUdp;
  return locate(routing.target, usable, names, routing.unspecified);
}

function preferred(core: Core, transport: TransportName): readonly TransportName[] {
  if (transport === 'tls') return TLS_ONLY;
  if (!core.transports.hasUdp) return TCP_ONLY;
  return transport === 'udp' ? UDP_ONLY : TCP_FIRST;
}

/** What is known of the way to a peer without proxies in between. */
function knownWays(
  dialog: EngineDialog,
  target: SipUri,
  natDetection: NatDetection,
): Pick<Routing, 'known' | 'otherwise'> {
  const { flow } = dialog;
  if (!flow?.open) return { known: undefined, otherwise: undefined };
  if (flow.transport !== 'udp') return { known: flow, otherwise: undefined };
  const named = target.transport ?? 'udp';
  if (named !== 'udp' || target.scheme === 'sips') return { known: undefined, otherwise: undefined };
  // A Contact that is the source gets the same way, from the socket that it knows.
  if (target.host === flow.address && (target.port ?? 5060) === flow.port) return { known: flow, otherwise: undefined };
  if (natDetection === 'never') return { known: undefined, otherwise: undefined };
  return natDetection === 'always' || isBehindNat(target.host, flow.address)
    ? { known: flow, otherwise: 'target' }
    : { known: undefined, otherwise: flow };
}

/** A literal address of a private network cannot be reached when the datagram came from another one. */
function isBehindNat(host: string, source: string): boolean {
  const version = isIP(host);
  return version !== 0 && host !== source && privateAddresses.check(host, version === 6 ? 'ipv6' : 'ipv4');
}

const privateAddresses = new BlockList();
// RFC 1918, RFC 6598, RFC 3927, RFC 1122; RFC 4193, RFC 4291
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
  ['127.0.0.0', 8],
] as const) {
  privateAddresses.addSubnet(network, prefix, 'ipv4');
}
privateAddresses.addSubnet('fc00::', 7, 'ipv6');
privateAddresses.addSubnet('fe80::', 10, 'ipv6');
privateAddresses.addAddress('::1', 'ipv6');

/** The proxy's own connection, when it is the first hop of the route set. */
function proxyConnection(dialog: EngineDialog, target: SipUri): Flow | undefined {
  const { flow } = dialog;
  if (!flow?.open || flow.transport === 'udp' || flow.address !== target.host || isIP(target.host) === 0)
    return undefined;
  const named = target.transport ?? (target.scheme === 'sips' ? 'tls' : flow.transport);
  return named === flow.transport || (named === 'ws' && flow.transport === 'wss') ? flow : undefined;
}
