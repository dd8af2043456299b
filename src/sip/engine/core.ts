// The parts of one running engine, as its halves (requests from the network, requests to it) see them.
import type { Application, ControlServer } from './control-server.ts';
import type { Dialog, Dialogs } from './dialogs.ts';
import type { FloodGuard } from './flood-guard.ts';
import type { NameService } from './locate.ts';
import type { SipRequest } from './message.ts';
import type { OverloadControl } from './overload.ts';
import type { TimerQueue } from './timer-queue.ts';
import type { ClientTransactions, ServerTransactions } from './transactions.ts';
import type { Flow, LocalEndpoint } from './transport.ts';
import type { TransportLayer } from './transport-layer.ts';

/**
 * Where requests in a dialog go over UDP when the peer's Contact is not the address its datagrams come from and no proxy records itself:
 * `always` to that address, as a drachtio-server sends them; `never`, to the Contact alone, RFC 3261 12.2.1.1; `auto` to that address when
 * the Contact names another one of a private network, else to the Contact. But for `never` the other one is tried when nobody answers.
 */
export type NatDetection = 'auto' | 'always' | 'never';

/** What one engine is made of. */
export interface Core {
  readonly timers: TimerQueue;
  readonly servers: ServerTransactions<Delivery>;
  readonly clients: ClientTransactions;
  readonly dialogs: Dialogs<Application>;
  readonly guard: FloodGuard;
  readonly overload: OverloadControl;
  readonly transports: TransportLayer;
  readonly control: ControlServer;
  readonly names: NameService;
  /** Option tags that a Require header may name (RFC 3261 8.2.2.3). */
  readonly supported: ReadonlySet<string>;
  /** URI of the next hop of requests outside dialogs, '' for none. */
  readonly outboundProxy: string;
  readonly natDetection: NatDetection;
  /** Milliseconds since 1970. */
  readonly wallTime: () => number;
}

/** A dialog as the engine holds it. */
export type EngineDialog = Dialog<Application>;

/** A request that an application has and must answer. */
export interface Delivery {
  readonly application: Application;
  readonly request: SipRequest;
  readonly source: Flow;
  readonly dialog: EngineDialog | undefined;
  /** Engine time at which the application was given it; undefined when it does not count for overload control. */
  readonly given: number | undefined;
}

/** How long a dialog outlives its subscription: Timer N of the peer and Timer F of our last NOTIFY, twice. */
const EXPIRY_GRACE = 128_000;

/** The Contact URI for messages that leave by this endpoint. */
export function contactOf(local: LocalEndpoint, peer: string): string {
  return `<sip:${local.sentBy(peer)}${transportParameter(local)}>`;
}

/** The transport parameter of a URI that leads to this endpoint; '' for UDP, which is meant without (RFC 3263 clause 4.1). */
export function transportParameter({ transport }: LocalEndpoint): string {
  if (transport === 'udp') return '';
  // RFC 5630 3.1.4: `transport=tls` must not be used; RFC 7118 5.2: `ws` stands for both
  return `;transport=${transport === 'tcp' || transport === 'tls' ? 'tcp' : 'ws'}`;
}

/** Notes until when a dialog may live. @param expires seconds from now, as number or as Expires value */
export function extendDialog(core: Core, dialog: EngineDialog, expires: string | number | undefined): void {
  if (expires !== undefined) dialog.expires = core.timers.now() + Number(expires) * 1000 + EXPIRY_GRACE;
}
