// The drachtio control protocol over loopback TCP: applications authenticate, register the methods they want and exchange
// SIP messages with the engine.
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { type Frame, FrameReader, frame, LARGEST_FRAME } from './control-frames.ts';

const UNAUTHENTICATED_FRAME = 1_024;
const UNAUTHENTICATED_TIME = 5_000;
/** Applications, and connections that have not shown the secret yet. */
const APPLICATION_LIMIT = 64;
const STRANGER_LIMIT = 64;
/** Octets waiting for an application that does not read; then no more requests are given to it. */
const BACKLOG_LIMIT = 67_108_864;
/** The version answered to applications: drachtio-srf takes capabilities from it. */
const PROTOCOL_VERSION = 'v0.9.10';

/** Where applications connect. */
export interface ControlAddress {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  /** A second port of the same host, over TLS. */
  readonly tls?: ControlTls | undefined;
}

/** Certificate and key as PEM text; port 0 takes a free one. */
export interface ControlTls {
  readonly port: number;
  readonly cert: string;
  readonly key: string;
  /** Authorities of applications: one without a certificate of theirs is turned away. Absent: the secret alone counts. */
  readonly clientCa?: string | undefined;
}

/** What an application asks with a `sip` frame. */
export interface SipOrder {
  readonly id: string;
  readonly transaction: string;
  readonly dialog: string;
  readonly route: string;
  readonly text: Buffer;
}

/** The engine behind the protocol. */
export interface ControlHandler {
  /** `transport/host:port` of each listening address. */
  hostPorts(): string;
  order(application: Application, order: SipOrder): void;
  gone(application: Application): void;
}

/** One connected application. */
export class Application {
  readonly verbs = new Set<string>();
  readonly #socket: Socket;
  #outbox = '';
  authenticated = false;
  open = true;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** True while it reads what it is sent. */
  get ready(): boolean {
    return this.open && this.#socket.writableLength + this.#outbox.length < BACKLOG_LIMIT;
  }

  /** Sends one frame; frames of one turn of the event loop leave together. */
  send(line: string, text = ''): void {
    if (!this.open) return;
    if (this.#outbox === '') setImmediate(() => this.#flush());
    this.#outbox += frame(line, text);
  }

  /** Answers the message with this id. */
  reply(id: string, outcome: string, text = ''): void {
    this.send(`response|${id}|${outcome}`, text);
  }

  /** Answers and hangs up, as the protocol does for what it does not understand. */
  refuse(id: string, reason: string): void {
    this.reply(id, `NO|${reason}`);
    this.open = false;
    this.#flush();
    this.#socket.end();
  }

  destroy(): void {
    this.open = false;
    this.#socket.destroy();
  }

  #flush(): void {
    const text = this.#outbox;
    this.#outbox = '';
    if (text !== '' && !this.#socket.destroyed) this.#socket.write(text, 'latin1');
  }
}

export class ControlServer {
  readonly #secret: Buffer;
  readonly #handler: ControlHandler;
  readonly #servers: Server[] = [];
  readonly #applications = new Set<Application>();
  /** Connected, but without the secret so far; the oldest first. */
  readonly #strangers = new Set<Application>();
  /** Registrations by method in the order they came, served in turn. */
  readonly #routes = new Map<string, Application[]>();
  #methods: readonly string[] = [];
  readonly #sockets = new Set<Socket>();

  private constructor(secret: string, handler: ControlHandler) {
    this.#secret = digest(Buffer.from(secret, 'utf8'));
    this.#handler = handler;
  }

  /** Listens; `ports` tells where. Rejects when an address cannot be used, or certificate and key do not fit. */
  static async open({ host, port, secret, tls }: ControlAddress, handler: ControlHandler): Promise<ControlServer> {
    const server = new ControlServer(secret, handler);
    try {
      await server.#listen(
        createServer((socket) => server.#accept(socket)),
        host,
        port,
      );
      if (tls) await server.#listen(server.#tlsServer(tls), host, tls.port);
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** The plain one, then the one over TLS if there is one. */
  get ports(): readonly number[] {
    return this.#servers.map((server) => {
      const address = server.address();
      return typeof address === 'object' && address ? address.port : 0;
    });
  }

  #tlsServer({ cert, key, clientCa }: ControlTls): Server {
    const clients = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
    const server = createTlsServer({ cert, key, ...clients, handshakeTimeout: UNAUTHENTICATED_TIME });
    server.on('secureConnection', (socket) => this.#accept(socket));
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    return server;
  }

  async #listen(server: Server, host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', () => undefined);
    // A handshake that is never finished must not hold up the end.
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      if (this.#sockets.size > APPLICATION_LIMIT + STRANGER_LIMIT * 2) socket.destroy();
    });
    this.#servers.push(server);
  }

  /** The next application registered for the method, in turn (lower case), or undefined. */
  pick(verb: string): Application | undefined {
    const registered = this.#routes.get(verb);
    if (!registered) return undefined;
    for (let tries = registered.length; tries > 0; tries--) {
      const application = registered.shift();
      if (!application) return undefined;
      registered.push(application);
      if (application.ready) return application;
    }
    return undefined;
  }

  /** The methods that some application takes, upper case. */
  get methods(): readonly string[] {
    return this.#methods;
  }

  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const application of [...this.#applications, ...this.#strangers]) application.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  #accept(socket: Socket): void {
    socket.on('error', () => undefined);
    const application = new Application(socket);
    // Whoever occupies places without knowing the secret must not keep out those who know it.
    const [oldest] = this.#strangers;
    if (oldest && this.#strangers.size >= STRANGER_LIMIT) oldest.destroy();
    this.#strangers.add(application);
    const reader = new FrameReader();
    const deadline = setTimeout(() => {
      if (!application.authenticated) socket.destroy();
    }, UNAUTHENTICATED_TIME);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 45_000);
    socket.on('data', (chunk) => {
      reader.append(chunk);
      for (;;) {
        const next = reader.next(application.authenticated ? LARGEST_FRAME : UNAUTHENTICATED_FRAME);
        if (next === undefined || !application.open) return;
        if (next === 'broken') {
          application.destroy();
          return;
        }
        this.#take(application, next);
      }
    });
    socket.on('close', () => {
      clearTimeout(deadline);
      application.open = false;
      this.#applications.delete(application);
      this.#strangers.delete(application);
      this.#removeRoutes(application);
      if (application.authenticated) this.#handler.gone(application);
    });
  }

  #take(application: Application, { fields, text }: Frame): void {
    const [id = '', command, first, second, third] = fields;
    if (command === undefined) application.refuse(id, 'Invalid message format');
    else if (command === 'authenticate') this.#authenticate(application, id, first ?? '');
    else if (!application.authenticated) application.refuse(id, 'not authenticated');
    else if (command === 'ping') application.reply(id, 'OK|pong');
    else if (command === 'route' && first) {
      this.#addRoute(application, first.toLowerCase());
      application.reply(id, 'OK');
    } else if (command === 'remove_route' && first) {
      this.#removeRoute(application, first.toLowerCase());
      application.reply(id, 'OK');
    } else if (command === 'sip') {
      const order = { id, transaction: first ?? '', dialog: second ?? '', route: third ?? '' };
      this.#handler.order(application, { ...order, text: text ?? Buffer.alloc(0) });
    } else if (command === 'proxy') application.reply(id, 'NOK|this engine does not proxy');
    else application.refuse(id, command === 'route' ? 'Invalid message format' : 'Unknown message type');
  }

  #authenticate(application: Application, id: string, secret: string): void {
    if (!timingSafeEqual(digest(Buffer.from(secret, 'latin1')), this.#secret)) {
      application.refuse(id, 'incorrect secret');
      return;
    }
    if (!application.authenticated && this.#applications.size >= APPLICATION_LIMIT) {
      application.refuse(id, 'too many applications');
      return;
    }
    application.authenticated = true;
    this.#strangers.delete(application);
    this.#applications.add(application);
    const hostPorts = this.#handler.hostPorts();
    application.reply(id, `OK|${hostPorts}|${PROTOCOL_VERSION}|${hostPorts}`);
  }

  #addRoute(application: Application, verb: string): void {
    application.verbs.add(verb);
    const registered = this.#routes.get(verb) ?? [];
    this.#routes.set(verb, registered);
    if (!registered.includes(application)) registered.push(application);
    this.#methods = upperCase(this.#routes.keys());
  }

  #removeRoute(application: Application, verb: string): void {
    application.verbs.delete(verb);
    const left = (this.#routes.get(verb) ?? []).filter((other) => other !== application);
    if (left.length > 0) this.#routes.set(verb, left);
    else this.#routes.delete(verb);
    this.#methods = upperCase(this.#routes.keys());
  }

  #removeRoutes(application: Application): void {
    for (const verb of [...application.verbs]) this.#removeRoute(application, verb);
  }
}

function upperCase(verbs: Iterable<string>): readonly string[] {
  return [...verbs].map((verb) => verb.toUpperCase());
}

/** Fixed length, so that comparing takes the same time whatever was sent. */
function digest(secret: Buffer): Buffer {
  return createHash('sha256').update(secret).digest();
}
