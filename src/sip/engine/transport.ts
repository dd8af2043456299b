// What the transports offer to the transactions: flows (ways to one peer address) and the own addresses they start from.
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { bracketed } from './address.ts';
import type { Admission } from './flood-guard.ts';
import type { SipMessage } from './message.ts';
import type { Unparsed } from './parse-message.ts';

export type TransportName = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';

/** One address to listen on, as configured: `udp:127.0.0.1:5060`, `tls:[::1]:5061`. */
export interface ListenAddress {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
}

/** An own address that is being listened on, as written into Via and Contact. */
export interface LocalEndpoint {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
  /** `host:port` of this endpoint as this peer sees it. */
  sentBy(peer: string): string;
}

/** Something that sent a request on a flow and wants to know when the flow fails. */
export interface FlowUser {
  onFlowFailed(): void;
}

/** A way to one peer: a UDP address pair or a connection. */
export interface Flow {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
  readonly local: LocalEndpoint;
  /** True until the connection is gone; always true for UDP. */
  readonly open: boolean;
  /** Identity the peer proved by its TLS certificate, '' when none. */
  readonly peerIdentity: string;
  /** Sends one message (one character per octet); the user, if any, hears of failure, perhaps later. */
  send(text: string, user?: FlowUser): void;
  /** The same way to another port of the peer: where UDP responses go when no rport was asked for (RFC 3261 18.2.2). */
  at(port: number): Flow;
  /** The user no longer cares. */
  release(user: FlowUser): void;
  /** Closes a connection after what was sent; nothing for UDP. */
  end(): void;
}

/**
 * Called by the transports for each message, parsed or refused.
 * @param admission what was decided about a datagram before it was parsed; absent on connections
 */
export type OnMessage = (message: SipMessage | Unparsed, flow: Flow, admission?: Admission) => void;

/** Called before a request from a datagram is parsed. */
export type Admit = (address: string) => Admission;

const TRANSPORTS: readonly string[] = ['udp', 'tcp', 'tls', 'ws', 'wss'];

/**
 * Reads `transport:address:port`.
 * @throws Error naming the text when it is not one
 */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^([a-z]+):(\[[0-9a-f:.]+\]|[0-9.]+):(\d{1,5})$/i.exec(text);
  const [, transport = '', host = '', port = ''] = match ?? [];
  const address = host.replace(/[[\]]/g, '');
  if (!TRANSPORTS.includes(transport) || isIP(address) === 0 || Number(port) > 65535) {
    throw new Error(`not a listening address (transport:address:port): ${text}`);
  }
  return { transport: transport as TransportName, address, port: Number(port) };
}

/** `udp:127.0.0.1:5060`, IPv6 in brackets. */
export function listenText(endpoint: { transport: string; address: string; port: number }): string {
  return `${endpoint.transport}:${bracketed(endpoint.address)}:${endpoint.port}`;
}

/** True for the loopback addresses of both families. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/**
 * The own end of flows from one listener.
 * @param advertise host to write instead of the listening address, '' for none
 */
export function localEndpoint(listen: ListenAddress, port: number, advertise: string): LocalEndpoint {
  const { transport, address } = listen;
  const wildcard = address === '0.0.0.0' || address === '::';
  const text = advertise !== '' ? advertise : wildcard ? outwardAddress(isIP(address)) : address;
  const sentByText = `${bracketed(text)}:${port}`;
  const loopbackText = `${isIP(address) === 6 ? '[::1]' : '127.0.0.1'}:${port}`;
  return {
    transport,
    address,
    port,
    sentBy: (peer) => (wildcard && advertise === '' && isLoopback(peer) ? loopbackText : sentByText),
  };
}

function outwardAddress(family: number): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address, internal, family: name } of addresses ?? []) {
      if (!internal && name === `IPv${family}` && !address.startsWith('fe80:')) return address;
    }
  }
  return family === 6 ? '::1' : '127.0.0.1';
}
