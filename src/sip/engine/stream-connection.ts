// One TCP or TLS connection as a flow: framing, keep-alive, the users to tell when it breaks, and its limits.
import type { Socket } from 'node:net';
import { StreamFramer } from './stream-framer.ts';
import type { Flow, FlowUser, LocalEndpoint, OnMessage, TransportName } from './transport.ts';

/** Octets waiting for a peer that does not read; then the connection is given up. */
const BACKLOG_LIMIT = 8_388_608;
/** Milliseconds that a connection which we end may still take to carry what was sent. */
const LINGER = 2_000;

export class StreamConnection implements Flow {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
  readonly local: LocalEndpoint;
  peerIdentity = '';
  open = true;
  readonly opened: number;
  /** Time of the last complete message or keep-alive, and of opening. */
  active: number;
  /** Time at which the message that is still incomplete began to arrive, 0 when there is none. */
  partialSince = 0;
  /** False until the first message came or the connection was made by us. */
  proven: boolean;
  readonly #socket: Socket;
  readonly #users = new Set<FlowUser>();

  /**
   * @param peer the other side, and whether the connection was made by us
   * @param now the time in milliseconds, asked again for each arrival
   * @param closed called once when the connection is gone
   */
  constructor(
    socket: Socket,
    local: LocalEndpoint,
    peer: {
      readonly transport: TransportName;
      readonly address: string;
      readonly port: number;
      readonly dialled: boolean;
    },
    now: () => number,
    deliver: OnMessage,
    closed: (connection: StreamConnection) => void,
  ) {
    this.transport = peer.transport;
    this.address = peer.address;
    this.port = peer.port;
    this.proven = peer.dialled;
    this.local = local;
    this.opened = now();
    this.active = this.opened;
    this.#socket = socket;
    let pings = 0;
    const framer = new StreamFramer({
      message: (message) => {
        this.active = now();
        this.proven = true;
        deliver(message, this);
      },
      ping: () => {
        pings++;
      },
      lost: () => this.end(),
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.on('data', (chunk) => {
      framer.push(chunk);
      if (pings > 0) {
        this.active = now();
        // Together: a stream of nothing but pings must not cost a system call for every four octets.
        this.#write('\r\n'.repeat(pings));
        pings = 0;
      }
      this.partialSince = framer.partial ? this.partialSince || now() : 0;
    });
    socket.on('error', () => undefined);
    socket.on('end', () => {
      this.open = false;
    });
    socket.on('close', () => {
      this.open = false;
      closed(this);
      const users = [...this.#users];
      this.#users.clear();
      for (const user of users) user.onFlowFailed();
    });
  }

  send(text: string, user?: FlowUser): void {
    if (user) {
      if (!this.open) {
        queueMicrotask(() => user.onFlowFailed());
        return;
      }
      this.#users.add(user);
    }
    this.#write(text);
  }

  #write(text: string): void {
    if (!this.open) return;
    this.#socket.write(text, 'latin1');
    if (this.#socket.writableLength > BACKLOG_LIMIT) this.destroy();
  }

  at(): Flow {
    return this;
  }

  release(user: FlowUser): void {
    this.#users.delete(user);
  }

  end(): void {
    this.open = false;
    this.#socket.end();
    // A peer that keeps its half open, or goes on sending, would hold the socket for ever.
    setTimeout(() => this.#socket.destroy(), LINGER).unref();
  }

  destroy(): void {
    this.open = false;
    this.#socket.destroy();
  }
}
