// All transports together: opens the listening addresses, finds or makes the flow to a peer address, and enforces the
// limits on connections.
import { createServer, isIP, type Server, type Socket, connect as tcpConnect } from 'node:net';
import {
  createSecureContext,
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
  connect as tlsConnect,
} from 'node:tls';
import { StreamConnection } from './stream-connection.ts';
import { certificateIdentity, type TlsMaterial, verifyTlsPeer } from './tls-identity.ts';
import {
  type Admit,
  type Flow,
  isLoopback,
  type ListenAddress,
  type LocalEndpoint,
  listenText,
  localEndpoint,
  type OnMessage,
  type TransportName,
} from './transport.ts';
import { UdpTransport } from './udp-transport.ts';
import { WebSocketListener } from './websocket-transport.ts';

/** Limits on connections. Times in milliseconds. */
export interface ConnectionLimits {
  readonly total: number;
  readonly perSource: number;
  /** A message must be complete this long after its first octet. */
  readonly messageTime: number;
  /** An accepted connection must bring its first message within this time; keep-alives are none. */
  readonly firstMessageTime: number;
  /** TLS and the WebSocket upgrade must be done within this time each. */
  readonly handshakeTime: number;
  readonly idleTime: number;
}

const CONNECTION_LIMITS: ConnectionLimits = {
  total: 20_000,
  perSource: 2_000,
  messageTime: 30_000,
  firstMessageTime: 30_000,
  handshakeTime: 10_000,
  idleTime: 3_600_000 * 2,
};
const SWEEP_TIME = 5_000;
/** A firewall that swallows attempts costs this much before the next address is tried. */
const CONNECT_TIME = 4_000;

/** A connection of any kind, as the layer keeps it. */
export interface ManagedConnection extends Flow {
  readonly opened: number;
  readonly active: number;
  readonly partialSince: number;
  readonly proven: boolean;
  destroy(): void;
}

export interface TransportLayerOptions {
  readonly listen: readonly ListenAddress[];
  /** Host to write into Via and Contact instead of the listening address, '' for none. */
  readonly advertise: string;
  readonly tls: TlsMaterial | undefined;
  readonly limits?: Partial<ConnectionLimits>;
  readonly admit: Admit;
  readonly deliver: OnMessage;
  readonly now: () => number;
}

export class TransportLayer {
  readonly #options: TransportLayerOptions;
  readonly #limits: ConnectionLimits;
  readonly #udp: UdpTransport[] = [];
  readonly #servers: Server[] = [];
  readonly #tlsServers: TlsServer[] = [];
  #tls: TlsMaterial | undefined;
  readonly #webSockets: WebSocketListener[] = [];
  readonly #locals: LocalEndpoint[] = [];
  readonly #connections = new Map<string, ManagedConnection>();
  /** Sockets accepted and not closed, whether or not anything has come over them, and how many there are of each address. */
  readonly #accepted = new Map<string, number>();
  readonly #sockets = new Set<Socket>();
  #dialled = 0;
  readonly #names = new WeakMap<ManagedConnection, string>();
  readonly #sweep: NodeJS.Timeout;

  private constructor(options: TransportLayerOptions) {
    this.#options = options;
    this.#tls = options.tls;
    this.#limits = { ...CONNECTION_LIMITS, ...options.limits };
    const { messageTime, firstMessageTime } = this.#limits;
    this.#sweep = setInterval(() => this.#closeStale(), Math.min(SWEEP_TIME, messageTime, firstMessageTime));
    this.#sweep.unref();
  }

  /**
   * Opens every listening address.
   * @throws the first error of a socket that cannot be opened, after closing the others
   */
  static async open(options: TransportLayerOptions): Promise<TransportLayer> {
    const layer = new TransportLayer(options);
    try {
      for (const listen of options.listen) await layer.#open(listen);
    } catch (error) {
      await layer.close();
      throw error;
    }
    return layer;
  }

  /** The own addresses in the order of configuration, real ports. */
  get locals(): readonly LocalEndpoint[] {
    return this.#locals;
  }

  get connections(): number {
    return this.#connections.size;
  }

  get hasUdp(): boolean {
    return this.#udp.length > 0;
  }

  /** The listening address whose transport this is, preferring one that can reach the peer. */
  localFor(transport: TransportName, peer: string): LocalEndpoint | undefined {
    const family = isIP(peer) || 4;
    const candidates = this.#locals.filter((local) => local.transport === transport && isIP(local.address) === family);
    return candidates.find((local) => isLoopback(local.address) === isLoopback(peer)) ?? candidates[0];
  }

  /**
   * The flow to a peer address: for UDP from the fitting socket, otherwise an open connection to exactly that address, or a
   * new one that is being made.
   * @param serverName the name whose certificate is expected (TLS and WSS), '' for the address
   * @returns undefined when this transport cannot be used from here
   */
  flowTo(transport: TransportName, address: string, port: number, serverName: string): Flow | undefined {
    if (transport === 'udp') {
      const local = this.localFor('udp', address);
      return this.#udp.find((udp) => udp.local === local)?.flow(address, port);
    }
    const existing = this.#connections.get(connectionKey(transport, address, port, serverName));
    if (existing?.open) return existing;
    return this.#dial(transport, address, port, serverName);
  }

  /** An open connection of this transport with the peer at this address, from whatever port. */
  connectionFrom(transport: TransportName, address: string, port: number): Flow | undefined {
    const connection = this.#connections.get(connectionKey(transport, address, port, ''));
    return connection?.open ? connection : undefined;
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    for (const udp of this.#udp) udp.close();
    const closed = [
      ...this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
      ...this.#webSockets.map((listener) => listener.close()),
    ];
    for (const connection of [...this.#connections.values()]) connection.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  async #open(listen: ListenAddress): Promise<void> {
    const { advertise, admit, deliver } = this.#options;
    if (listen.transport === 'udp') {
      const udp = await UdpTransport.open(listen, advertise, admit, deliver);
      this.#udp.push(udp);
      this.#locals.push(udp.local);
      return;
    }
    const tls = listen.transport === 'tls' || listen.transport === 'wss' ? this.#tlsMaterial(listen) : undefined;
    const server: Server = tls ? this.#tlsServer(tls) : createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: listen.address, port: listen.port, ipv6Only: isIP(listen.address) === 6 }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', () => undefined);
    const bound = server.address();
    const port = typeof bound === 'object' && bound ? bound.port : listen.port;
    const local = localEndpoint(listen, port, advertise);
    this.#locals.push(local);
    this.#servers.push(server);
    // Before TLS: a handshake that is never finished counts too.
    server.prependListener('connection', (socket: Socket) => this.#admitSocket(socket));
    const accept = (socket: Socket) => this.#accept(socket, local);
    if (listen.transport === 'ws' || listen.transport === 'wss') {
      const { handshakeTime } = this.#limits;
      const listener = new WebSocketListener(
        local,
        handshakeTime,
        this.#options.now,
        deliver,
        this.#register,
        this.#forget,
      );
      this.#webSockets.push(listener);
      server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
        if (!socket.destroyed) listener.take(socket);
      });
    } else if (tls) server.on('secureConnection', accept);
    else server.on('connection', accept);
    server.on('tlsClientError', (_error, socket: TLSSocket) => socket.destroy());
  }

  #tlsMaterial(listen: ListenAddress): TlsMaterial {
    if (!this.#tls) throw new Error(`${listenText(listen)} needs a certificate and a key`);
    return this.#tls;
  }

  #tlsServer(tls: TlsMaterial): TlsServer {
    const server = createTlsServer({
      ...tls,
      requestCert: tls.ca !== undefined,
      rejectUnauthorized: tls.requireClientCertificate === true,
      handshakeTimeout: this.#limits.handshakeTime,
    });
    this.#tlsServers.push(server);
    return server;
  }

  /** Uses other TLS material from the next connection on. Throws, having changed nothing, when it cannot be used. */
  replaceTls(tls: TlsMaterial): void {
    createSecureContext(tls);
    this.#tls = tls;
    for (const server of this.#tlsServers) server.setSecureContext(tls);
  }

  /** Counts an accepted socket until it is closed, or destroys it when there are too many. */
  #admitSocket(socket: Socket): void {
    const address = socket.remoteAddress;
    const { total, perSource } = this.#limits;
    const count = this.#accepted.get(address ?? '') ?? 0;
    if (!address || this.#sockets.size + this.#dialled >= total || count >= perSource) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    this.#accepted.set(address, count + 1);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      const left = (this.#accepted.get(address) ?? 1) - 1;
      if (left > 0) this.#accepted.set(address, left);
      else this.#accepted.delete(address);
    });
  }

  #accept(socket: Socket, local: LocalEndpoint): void {
    socket.on('error', () => undefined);
    if (socket.destroyed) return;
    const { transport } = local;
    const peer = { transport, address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0, dialled: false };
    const { now, deliver } = this.#options;
    const connection = new StreamConnection(socket, local, peer, now, deliver, this.#forget);
    if (transport === 'tls') connection.peerIdentity = certificateIdentity(socket as TLSSocket);
    this.#register(connection, '');
  }

  #dial(transport: TransportName, address: string, port: number, serverName: string): Flow | undefined {
    const local = this.localFor(transport, address) ?? this.#otherEndpoint(address);
    if (
      !local ||
      transport === 'ws' ||
      transport === 'wss' ||
      this.#sockets.size + this.#dialled >= this.#limits.total
    ) {
      return undefined;
    }
    const socket =
      transport === 'tls'
        ? tlsConnect({ ...this.#tls, host: address, port, ...verifyTlsPeer(serverName || address) })
        : tcpConnect({ host: address, port });
    const { now, deliver } = this.#options;
    const peer = { transport, address, port, dialled: true };
    const connection = new StreamConnection(socket, local, peer, now, deliver, this.#forget);
    const deadline = setTimeout(() => socket.destroy(new Error('connection timed out')), CONNECT_TIME);
    const ready = transport === 'tls' ? 'secureConnect' : 'connect';
    socket.once(ready, () => {
      clearTimeout(deadline);
      if (transport === 'tls') connection.peerIdentity = certificateIdentity(socket as TLSSocket);
    });
    this.#dialled++;
    socket.once('close', () => {
      this.#dialled--;
      clearTimeout(deadline);
    });
    this.#register(connection, serverName);
    return connection;
  }

  /** Where nothing listens on a transport, requests over it name a listening address of another one. */
  #otherEndpoint(address: string): LocalEndpoint | undefined {
    return this.localFor('tcp', address) ?? this.localFor('udp', address) ?? this.localFor('tls', address);
  }

  readonly #register = (connection: ManagedConnection, serverName: string): void => {
    this.#connections.set(
      connectionKey(connection.transport, connection.address, connection.port, serverName),
      connection,
    );
    this.#names.set(connection, serverName);
  };

  readonly #forget = (connection: ManagedConnection): void => {
    const { transport, address, port } = connection;
    const key = connectionKey(transport, address, port, this.#names.get(connection) ?? '');
    if (this.#connections.get(key) === connection) this.#connections.delete(key);
  };

  #closeStale(): void {
    const now = this.#options.now();
    const { messageTime, firstMessageTime, idleTime } = this.#limits;
    for (const connection of this.#connections.values()) {
      const { partialSince, opened, active, proven } = connection;
      const slow = partialSince > 0 && now - partialSince > messageTime;
      if (slow || (proven ? now - active > idleTime : now - opened > firstMessageTime)) connection.destroy();
    }
  }
}

function connectionKey(transport: TransportName, address: string, port: number, serverName: string): string {
  return serverName === '' || transport === 'tcp'
    ? `${transport}:${address}:${port}`
    : `${transport}:${address}:${port}:${serverName}`;
}
