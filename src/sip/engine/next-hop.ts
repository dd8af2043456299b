// Where a request goes: Request-URI and Route from the dialog's route set (RFC 3261 12.2.1.1, 16.12.1.2), and the
// addresses to try, nearest first.
import { isIP } from 'node:net';
import { parseAddress, parseSipUri, type SipUri } from './address.ts';
import type { Core, EngineDialog } from './core.ts';
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
    const known = knownFlow(dialog, target);
    return { requestUri: dialog.remoteTarget, routes: [], target, known, unspecified };
  }
  const uri = parseAddress(first)?.uri ?? '';
  const target = parseSipUri(uri);
  if (!target) return undefined;
  const known = proxyConnection(dialog, target);
  if (target.loose) return { requestUri: dialog.remoteTarget, routes: dialog.routeSet, target, known, unspecified };
  // A strict router takes the Request-URI for itself and finds the remote target last in Route.
  const routes = [...dialog.routeSet.slice(1), `<${dialog.remoteTarget}>`];
  return { requestUri: uri, routes, target, known, unspecified };
}

/** Addressing of a request outside dialogs. @param nextHop URI of a proxy to send to, '' for none */
export function freeRouting(core: Core, requestUri: string, nextHop: string): Routing | undefined {
  const target = parseSipUri(nextHop === '' ? requestUri : nextHop);
  if (!target) return undefined;
  const routes = nextHop !== '' && target.loose ? [`<${nextHop}>`] : [];
  return { requestUri, routes, target, known: undefined, unspecified: preferred(core, 'udp') };
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

function knownFlow(dialog: EngineDialog, target: SipUri): Flow | undefined {
  const { flow } = dialog;
  if (!flow?.open) return undefined;
  if (flow.transport !== 'udp') return flow;
  const named = target.transport ?? 'udp';
  if (named !== 'udp' || target.scheme === 'sips') return undefined;
  // A Contact that is not where the datagram came from is behind a NAT or a name of the source: the source is answered.
  // One that is gets the same way too, from the socket that it knows.
  return flow;
}

/** The proxy's own connection, when it is the first hop of the route set. */
function proxyConnection(dialog: EngineDialog, target: SipUri): Flow | undefined {
  const { flow } = dialog;
  if (!flow?.open || flow.transport === 'udp' || flow.address !== target.host || isIP(target.host) === 0)
    return undefined;
  const named = target.transport ?? (target.scheme === 'sips' ? 'tls' : flow.transport);
  return named === flow.transport || (named === 'ws' && flow.transport === 'wss') ? flow : undefined;
}
