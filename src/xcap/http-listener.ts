// The HTTP listener under both XCAP faces: limits, timeouts, hostile bytes, draining. It knows nothing of XCAP:
// a handler turns each exchange into an answer, a Refusal or a fault, and the answer is sent here.
import { constants } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type SecureContextOptions, Server as TlsServer } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { tlsSuites } from '../identity/tls-suites.ts';
import { Refusal } from '../refusals.ts';
import { StoreError } from '../store/store-error.ts';
import { type Answer, faultAnswer, refusalAnswer } from './answer.ts';
import { announcesBody, discardBody, RequestAborted } from './body.ts';
import { BodyBudget, type BodyBudgetLimits } from './body-budget.ts';
import type { Exchange } from './exchange.ts';
import { headRefusal, type ParserError, parserRefusal, rawAnswer } from './protocol-refusals.ts';

/** PEM texts. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  /** CAs that client certificates must chain to; absent = none is asked for. */
  readonly clientCa?: string | undefined;
  /** Revocation lists of all of these CAs, PEM texts of one each; absent = nothing is known to be revoked. */
  readonly crl?: readonly string[] | undefined;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly tls?: TlsMaterial | undefined;
}

/** Bounds on what a peer may cost. Times in milliseconds. */
export interface FaceLimits extends BodyBudgetLimits {
  /** Longest request target; longer is 414. */
  readonly targetBytes: number;
  /** Request line and header fields together; more is 431. */
  readonly headerBytes: number;
  /** A complete header must arrive within this. */
  readonly headersTimeout: number;
  /** A complete request must arrive within this. */
  readonly requestTimeout: number;
  /** A connection without any traffic is closed after this. */
  readonly idleTimeout: number;
  /** A connection between two requests is closed after this. */
  readonly keepAliveTimeout: number;
  readonly requestsPerConnection: number;
  readonly connections: number;
  /** How long `close` lets running exchanges go on. */
  readonly drainTimeout: number;
}

export const defaultLimits: FaceLimits = {
  documentBytes: 4 * 1024 * 1024,
  bodiesInFlightBytes: 64 * 1024 * 1024,
  bodiesInFlightBytesPerCaller: 16 * 1024 * 1024,
  targetBytes: 8192,
  headerBytes: 32 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  idleTimeout: 120_000,
  keepAliveTimeout: 30_000,
  requestsPerConnection: 100_000,
  connections: 20_000,
  drainTimeout: 5_000,
};

/** Where a face writes what operators should know; a pino logger fits. */
export interface FaceLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** One answered request, for metrics. */
export interface AnswerFacts {
  readonly method: string;
  readonly status: number;
  /** From the complete header to the answer handed to the socket. */
  readonly milliseconds: number;
}

interface ConnectionState {
  /** Requests not yet answered, the one being served first. */
  readonly queue: Exchange[];
  /** Requests served so far. */
  served: number;
}

export interface HttpListenerOptions {
  readonly listen: ListenOptions;
  readonly limits: FaceLimits;
  /** What happens to a client without a certificate that chains to `clientCa`: no handshake, or the handler refuses it. */
  readonly strangers: 'no handshake' | 'handler';
  readonly log: FaceLog;
  readonly onAnswer?: ((facts: AnswerFacts) => void) | undefined;
  /** Resolves with the answer; throws a Refusal, or anything else for a fault of our own. */
  handle(exchange: Exchange): Promise<Answer>;
}

export interface HttpListener {
  /** `http://host:port` as bound. */
  readonly url: string;
  /**
   * Uses other certificates from now on. When they differ, connections that were judged by those before end behind their running exchange.
   * Throws when they cannot be used; without TLS there is nothing to replace.
   */
  replaceTls(tls: TlsMaterial): void;
  /** Stops accepting, lets running exchanges finish for at most the drain timeout, then ends every connection. */
  close(): Promise<void>;
}

/** More pipelined requests than this on one connection end it. */
const pipelineDepth = 1000;
/** So many octets of an unwanted body beyond the largest wanted one are taken before the connection is cut. */
const discardAllowance = 64 * 1024;
/** So long may a peer take to read why its connection ends, milliseconds. */
const lastWordTimeout = 2_000;

/** Starts to listen. Throws when the address cannot be bound or the TLS material not be used. */
export async function startHttpListener(options: HttpListenerOptions): Promise<HttpListener> {
  const { listen, limits } = options;
  const connections = new Set<Socket>();
  const ready = new Set<Socket>();
  const states = new WeakMap<Duplex, ConnectionState>();
  const outdated = new WeakSet<Duplex>();
  let closing = false;
  let material = listen.tls;
  const refused = new WeakSet<Duplex>();
  const budget = new BodyBudget(limits);
  const endOfTurn = turnEnds();
  const server = makeServer(options);

  const send = (exchange: Exchange, answer: Answer, last: boolean): void => {
    const { request, response } = exchange;
    const unread = announcesBody(request) && !request.complete;
    // Nobody knows whether a body that was never asked for will still come; who is told to try later need not send the rest now; and
    // where the body will be cut, the next request of a client that thought the connection would stay must not meet that
    if (
      closing ||
      last ||
      outdated.has(request.socket) ||
      (unread && (exchange.expectsContinue || answer.status === 503 || willBeCut(request)))
    ) {
      response.shouldKeepAlive = false;
    }
    response.writeHead(answer.status, answer.headers as string[]);
    if (!unread || exchange.expectsContinue) {
      endWith(response, answer.body);
      return;
    }
    discardBody(request, limits.documentBytes + discardAllowance);
    if (response.shouldKeepAlive) {
      endWith(response, answer.body);
      return;
    }
    // RFC 9112 9.6: closing while octets arrive would reset the connection, and the answer be lost
    response.write(answer.body ?? '');
    request.once('close', () => response.end());
    setTimeout(() => request.socket.destroySoon(), lastWordTimeout).unref();
  };

  const willBeCut = ({ headers }: IncomingMessage): boolean =>
    Number(headers['content-length'] ?? 0) > limits.documentBytes + discardAllowance;

  const refuse = (socket: Duplex, refusal: Refusal): void => {
    refused.add(socket);
    socket.end(rawAnswer(refusal));
    setTimeout(() => socket.destroy(), lastWordTimeout).unref();
  };

  const serve = async (exchange: Exchange, state: ConnectionState): Promise<void> => {
    const started = performance.now();
    state.served++;
    const { socket, method = '' } = exchange.request;
    try {
      const answer = await answerOf(exchange, options);
      await endOfTurn();
      if (answer !== undefined && !exchange.response.destroyed) {
        send(exchange, answer, state.served >= limits.requestsPerConnection);
        options.onAnswer?.({ method, status: answer.status, milliseconds: performance.now() - started });
      }
    } catch (error) {
      options.log.error({ err: error, method }, 'an answer could not be sent');
      socket.destroy();
    }
    exchange.account.close();
    state.queue.shift();
    const next = state.queue[0];
    // Behind the last answer of a connection there is no other
    if (next !== undefined && exchange.response.shouldKeepAlive) void serve(next, state);
  };

  // RFC 9112 9.3.2: pipelined requests are served one after the other, since they may write
  const enqueue = (exchange: Exchange): void => {
    const { socket } = exchange.request;
    let state = states.get(socket);
    if (state === undefined) {
      state = { queue: [], served: 0 };
      states.set(socket, state);
    }
    if (state.queue.push(exchange) > pipelineDepth) socket.destroy();
    else if (state.queue.length === 1) void serve(exchange, state);
  };
  const track = (set: Set<Socket>, socket: Socket): void => {
    set.add(socket);
    socket.once('close', () => set.delete(socket));
  };

  const exchangeOf = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Exchange => {
    return { request, response, expectsContinue, account: budget.open() };
  };
  server.on('request', (request, response) => enqueue(exchangeOf(request, response, false)));
  server.on('checkContinue', (request, response) => enqueue(exchangeOf(request, response, true)));
  server.on('checkExpectation', (request, response) => enqueue(exchangeOf(request, response, false)));
  // RFC 9110 9.3.6: this is no proxy
  server.on('connect', (_request, socket: Duplex) => {
    socket.on('error', () => undefined);
    if ((states.get(socket)?.queue.length ?? 0) > 0) socket.destroy();
    else refuse(socket, new Refusal('not-implemented', { phrase: 'This server makes no tunnels' }));
  });
  server.on('connection', (socket: Socket) => track(connections, socket));
  server.on(listen.tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => track(ready, socket));
  server.on('clientError', (error: ParserError, socket: Duplex) => {
    // What still arrives behind a refusal is told here again
    if (refused.has(socket)) return;
    // An answer to bytes behind a request that is still being served would be taken for the answer to that request
    const [served, ...behind] = states.get(socket)?.queue ?? [];
    const inBody = behind.length === 0 && served?.request.complete === false && !served.response.headersSent;
    if (socket.writable && (served === undefined || inBody)) refuse(socket, parserRefusal(error));
    else socket.destroy();
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    options.log.info({ code: error.code }, 'a TLS handshake failed');
    socket.destroy();
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, () => {
      server.off('error', reject);
      resolve();
    });
  });

  return {
    url: boundUrl(server.address() as AddressInfo, listen.tls !== undefined),
    replaceTls: (tls) => {
      if (!(server instanceof TlsServer) || isDeepStrictEqual(tls, material)) return;
      server.setSecureContext(secureContext(tls));
      material = tls;
      // A certificate that is withdrawn now, or a CA that is trusted now, was judged when the connection began
      for (const socket of ready) {
        if ((states.get(socket)?.queue.length ?? 0) === 0) socket.destroySoon();
        else outdated.add(socket);
      }
    },
    close: () =>
      new Promise((resolve) => {
        closing = true;
        const timer = setTimeout(() => {
          for (const socket of connections) socket.destroy();
        }, limits.drainTimeout);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        for (const socket of ready) if ((states.get(socket)?.queue.length ?? 0) === 0) socket.destroySoon();
      }),
  };
}

/**
 * Resolves when the event loop has read what there was to read. The answers of one turn then leave one behind the other: a peer that
 * could fall asleep between two of them would have to be woken for each, which costs more than all else about a small answer.
 */
function turnEnds(): () => Promise<void> {
  let current: Promise<void> | undefined;
  return () => {
    current ??= new Promise((resolve) => {
      setImmediate(() => {
        current = undefined;
        resolve();
      });
    });
    return current;
  };
}

/** Up to this size content goes out in one piece with its head, octets. */
const onePiece = 12 * 1024;

/** Ends a response. Head and content in one string are one write, which costs far less than gathering two pieces. */
function endWith(response: ServerResponse, body: Answer['body']): void {
  if (!(body instanceof Uint8Array) || body.byteLength > onePiece) response.end(body);
  else response.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1'), 'latin1');
}

/** A disk that is full or a database that is away may come back; what was asked for has not been done. */
const storeAnswer = refusalAnswer(new Refusal('unavailable', { retryAfter: 5 }));

async function answerOf(exchange: Exchange, options: HttpListenerOptions): Promise<Answer | undefined> {
  const { request, response } = exchange;
  try {
    const refusal = headRefusal(request);
    if (refusal !== undefined) {
      response.shouldKeepAlive = false;
      throw refusal;
    }
    if ((request.url ?? '').length > options.limits.targetBytes) throw new Refusal('uri-too-long');
    return await options.handle(exchange);
  } catch (error) {
    if (error instanceof RequestAborted) return undefined;
    const about = { method: request.method, target: request.url, peer: request.socket.remoteAddress };
    if (error instanceof Refusal) {
      const { cause } = error.detail;
      if (cause !== undefined) options.log.info({ ...about, code: error.code, cause }, 'a request was refused');
      return refusalAnswer(error);
    }
    options.log.error({ ...about, err: error }, 'a request failed');
    return error instanceof StoreError ? storeAnswer : faultAnswer;
  }
}

function makeServer({ listen: { tls }, limits, strangers }: HttpListenerOptions): Server {
  const http: ServerOptions = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeout,
    requestTimeout: limits.requestTimeout,
    keepAliveTimeout: limits.keepAliveTimeout,
    connectionsCheckingInterval: Math.max(50, Math.min(2000, limits.headersTimeout / 2)),
    insecureHTTPParser: false,
    // Node would refuse such a request without a word
    requireHostHeader: false,
    noDelay: true,
    // Most requests have no body: the end of a stream that has nothing to give costs as much as all of ours about a GET
    optimizeEmptyRequests: true,
  };
  const server =
    tls === undefined
      ? createServer(http)
      : createTlsServer({
          ...http,
          ...secureContext(tls),
          handshakeTimeout: limits.headersTimeout,
          ...(tls.clientCa === undefined
            ? {}
            : { requestCert: true, rejectUnauthorized: strangers === 'no handshake' }),
        });
  server.timeout = limits.idleTimeout;
  server.maxConnections = limits.connections;
  return server;
}

function secureContext(tls: TlsMaterial): SecureContextOptions {
  return {
    cert: tls.cert,
    key: tls.key,
    minVersion: 'TLSv1.2',
    ciphers: tlsSuites,
    ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa }),
    ...(tls.crl === undefined ? {} : { crl: [...tls.crl] }),
    // A resumed session carries no chain to check, and would outlive a withdrawn certificate
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

function boundUrl(address: AddressInfo, secure: boolean): string {
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `${secure ? 'https' : 'http'}://${host}:${address.port}`;
}
