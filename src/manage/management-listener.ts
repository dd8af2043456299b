// The listener of the management API: few connections, short time-outs, TLS when configured. A request without token is
// answered and its connection ended, so that nobody can keep operators out by holding connections.
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type SecureContextOptions, Server as TlsServer } from 'node:tls';
import { tlsSuites } from '../identity/tls-suites.ts';
import { Refusal } from '../refusals.ts';
import { type ConnectionBounds, ManagementConnections } from './connections.ts';
import { drainTime } from './running-gateway.ts';

export interface ManagementListenOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Absent = plain TCP. */
  readonly tls?: ManagementTls | undefined;
  /** Name of the operator whose token a request shows; undefined when it shows none. */
  readonly operatorOf: (request: IncomingMessage) => string | undefined;
  readonly bounds?: ListenerBounds | undefined;
}

/** PEM texts. */
export interface ManagementTls {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string | undefined;
  /** Revocation lists of these CAs, PEM texts of one each. */
  readonly crl?: readonly string[] | undefined;
}

/** Bounds on what a peer may cost. Times in milliseconds. */
export interface ListenerBounds extends ConnectionBounds {
  /** A handshake, and the header of a request, must be complete within this. */
  readonly headersTimeout: number;
  /** So long may a peer without token take to send the rest of a request that was answered before it was complete. */
  readonly lastWordTimeout: number;
}

const defaultBounds: ListenerBounds = {
  strangers: 100,
  operators: 400,
  // A script may well ask about many things at once
  perOperator: 100,
  strangerLife: 10_000,
  headersTimeout: 5_000,
  lastWordTimeout: 1_000,
};

export interface ManagementListener {
  /** `http://host:port` as bound. */
  readonly url: string;
  /** Uses other certificates for connections from now on; without TLS there is nothing to replace. */
  replaceTls(tls: ManagementTls): void;
  /** Stops accepting, lets running requests finish for at most the drain time. */
  close(): Promise<void>;
}

/** Starts to listen; rejects when the address cannot be bound. */
export async function startManagementListener(
  { host, port, tls, operatorOf, bounds = defaultBounds }: ManagementListenOptions,
  handler: RequestListener,
): Promise<ManagementListener> {
  const server = makeServer(tls, bounds);
  const connections = new ManagementConnections(bounds);
  const underWay = new Set<ServerResponse>();
  const serve = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    underWay.add(response);
    response.once('close', () => underWay.delete(response));
    const operator = operatorOf(request);
    if (!connections.began(request.socket, operator)) {
      const { code, phrase, row } = new Refusal('unavailable', {
        phrase: 'This operator has too many requests under way',
      });
      response
        .writeHead(row.status, { Connection: 'close', 'Content-Type': jsonType, 'Retry-After': '5' })
        .end(JSON.stringify({ code, phrase }));
      return;
    }
    response.once('close', () => connections.answered(request.socket));
    if (operator === undefined) endBehind(request, response, expectsContinue, bounds);
    else if (expectsContinue) response.writeContinue();
    handler(request, response);
  };
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // An answer behind one that is under way would be taken for that
    const isAnswering = [...underWay].some((response) => response.socket === socket);
    if (socket.writable && !isAnswering) socket.end(rawAnswer(refusalOf(error)));
    else socket.destroy();
    setTimeout(() => socket.destroy(), bounds.lastWordTimeout).unref();
  });
  server.on('connection', (socket: Socket) => connections.opened(socket));
  server.on('request', (request, response) => serve(request, response, false));
  // RFC 9110 10.1.1: who shows no token need not send the content
  server.on('checkContinue', (request, response) => serve(request, response, true));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address() as AddressInfo;
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${shown}:${bound.port}`,
    replaceTls: (material) => {
      if (server instanceof TlsServer) server.setSecureContext(secureContext(material));
    },
    close: () => close(server, underWay),
  };
}

const jsonType = 'application/json; charset=utf-8';

/** What the parser could not read. */
function refusalOf({ code }: NodeJS.ErrnoException): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW') return new Refusal('header-too-large');
  return new Refusal(code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request-timeout' : 'bad-request');
}

function rawAnswer({ code, phrase, row }: Refusal): string {
  const body = JSON.stringify({ code, phrase });
  const head = [
    `HTTP/1.1 ${row.status} ${STATUS_CODES[row.status]}`,
    `Content-Type: ${jsonType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

function makeServer(tls: ManagementTls | undefined, { headersTimeout }: ListenerBounds): Server {
  const http = {
    requestTimeout: 60_000,
    headersTimeout,
    keepAliveTimeout: 5_000,
    connectionsCheckingInterval: Math.min(1_000, headersTimeout / 2),
    maxHeaderSize: 16_384,
  };
  return tls === undefined
    ? createServer(http)
    : createTlsServer({
        ...http,
        ...secureContext(tls),
        handshakeTimeout: headersTimeout,
        requestCert: tls.clientCa !== undefined,
      });
}

/** Ends the connection behind the answer. */
function endBehind(
  request: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
  { lastWordTimeout }: ListenerBounds,
): void {
  const { headers, socket } = request;
  const announced = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (!announced || expectsContinue) {
    response.shouldKeepAlive = false;
    return;
  }
  // RFC 9112 9.6: closing while octets arrive would reset the connection, and the answer be lost
  response.once('finish', () => {
    request.resume();
    if (request.complete) socket.destroySoon();
    else request.once('end', () => socket.destroySoon());
    const late = setTimeout(() => socket.destroy(), lastWordTimeout);
    socket.once('close', () => clearTimeout(late));
  });
}

function secureContext({ cert, key, clientCa, crl }: ManagementTls): SecureContextOptions {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ciphers: tlsSuites,
    ...(clientCa === undefined ? {} : { ca: clientCa }),
    ...(crl === undefined ? {} : { crl: [...crl] }),
  };
}

async function close(server: Server, underWay: ReadonlySet<ServerResponse>): Promise<void> {
  // a client that keeps its connection would hold up the end
  for (const response of underWay) response.shouldKeepAlive = false;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const hard = setTimeout(() => server.closeAllConnections(), drainTime);
  await closed;
  clearTimeout(hard);
}
