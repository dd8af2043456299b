// SIP over WebSocket (RFC 7118): one message per WebSocket message, sub-protocol `sip`, connections only accepted.
import { isUtf8 } from 'node:buffer';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import { parseDatagram } from './parse-message.ts';
import { BODY_LIMIT } from './stream-framer.ts';
import { certificateIdentity } from './tls-identity.ts';
import type { Flow, FlowUser, LocalEndpoint, OnMessage, TransportName } from './transport.ts';

const BACKLOG_LIMIT = 8_388_608;

class WebSocketConnection implements Flow {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
  readonly local: LocalEndpoint;
  readonly peerIdentity: string;
  readonly opened: number;
  proven = false;
  active: number;
  readonly #socket: WebSocket;
  readonly #raw: Socket;
  readonly #now: () => number;
  /** Octets read when the last frame was complete, and when more than these were first seen. */
  #complete = 0;
  #partialSince = 0;
  readonly #users = new Set<FlowUser>();

  constructor(
    socket: WebSocket,
    raw: Socket,
    local: LocalEndpoint,
    now: () => number,
    deliver: OnMessage,
    closed: (connection: WebSocketConnection) => void,
  ) {
    this.transport = local.transport;
    this.address = raw.remoteAddress ?? '';
    this.port = raw.remotePort ?? 0;
    this.local = local;
    this.peerIdentity = local.transport === 'wss' ? certificateIdentity(raw as TLSSocket) : '';
    this.opened = now();
    this.active = this.opened;
    this.#socket = socket;
    this.#raw = raw;
    this.#now = now;
    socket.on('error', () => undefined);
    const complete = () => {
      this.#complete = raw.bytesRead;
      this.#partialSince = 0;
    };
    complete();
    socket.on('ping', () => {
      complete();
      // The library has answered; a peer that pings and never reads would fill the memory.
      if (socket.bufferedAmount > BACKLOG_LIMIT) this.destroy();
    });
    socket.on('pong', complete);
    socket.on('message', (data) => {
      complete();
      this.active = now();
      const octets = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
      if (octets.length < 16) {
        // RFC 7118 6: the keep-alive of RFC 5626 may be used here too.
        if (octets.equals(PING)) socket.send('\r\n');
        return;
      }
      this.proven = true;
      deliver(parseDatagram(octets), this);
    });
    socket.on('close', () => {
      closed(this);
      const users = [...this.#users];
      this.#users.clear();
      for (const user of users) user.onFlowFailed();
    });
  }

  /** Looked at from time to time: since when a message has been incomplete, 0 when none is. */
  get partialSince(): number {
    if (this.#raw.bytesRead === this.#complete) return 0;
    this.#partialSince ||= this.#now();
    return this.#partialSince;
  }

  get open(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  send(text: string, user?: FlowUser): void {
    if (!this.open) {
      if (user) queueMicrotask(() => user.onFlowFailed());
      return;
    }
    if (user) this.#users.add(user);
    // RFC 7118 5: text frames carry UTF-8; what is not must go as binary, and binary is always allowed.
    const octets = Buffer.from(text, 'latin1');
    this.#socket.send(octets, { binary: !isUtf8(octets) });
    if (this.#socket.bufferedAmount > BACKLOG_LIMIT) this.destroy();
  }

  at(): Flow {
    return this;
  }

  release(user: FlowUser): void {
    this.#users.delete(user);
  }

  end(): void {
    this.#socket.close();
  }

  destroy(): void {
    this.#socket.terminate();
  }
}

const PING = Buffer.from('\r\n\r\n');

export class WebSocketListener {
  readonly #http: Server;
  readonly #server: WebSocketServer;
  readonly #upgradeTime: number;
  /** Sockets that are not upgraded yet. */
  readonly #upgrading = new WeakMap<object, NodeJS.Timeout>();

  /**
   * @param upgradeTime milliseconds in which a connection must have become a WebSocket
   * @param register told of each new connection
   * @param forget told when it is gone
   */
  constructor(
    local: LocalEndpoint,
    upgradeTime: number,
    now: () => number,
    deliver: OnMessage,
    register: (connection: WebSocketConnection, serverName: string) => void,
    forget: (connection: WebSocketConnection) => void,
  ) {
    this.#http = createServer((_request, response) => response.writeHead(426, { connection: 'close' }).end());
    this.#upgradeTime = upgradeTime;
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: BODY_LIMIT,
      perMessageDeflate: false,
      handleProtocols: () => 'sip',
    });
    this.#http.on('upgrade', (request, socket, head) => {
      const protocols = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
      // RFC 7118 4: a client that does not offer the sub-protocol is no SIP client.
      if (!protocols.includes('sip')) {
        socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
        return;
      }
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        clearTimeout(this.#upgrading.get(socket));
        register(new WebSocketConnection(webSocket, socket as Socket, local, now, deliver, forget), '');
      });
    });
  }

  /** Takes a connection that the listening socket accepted (TLS done where there is TLS). */
  take(socket: Socket): void {
    socket.on('error', () => undefined);
    // The HTTP server watches over connections of its own listening socket only.
    const deadline = setTimeout(() => socket.destroy(), this.#upgradeTime).unref();
    this.#upgrading.set(socket, deadline);
    socket.once('close', () => clearTimeout(deadline));
    this.#http.emit('connection', socket);
  }

  async close(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
    this.#http.closeAllConnections();
  }
}
