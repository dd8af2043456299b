// Who holds the connections of the management listener: those on which a token was shown, and apart from them everybody else.
// Strangers beyond their bound are ended, so that there is always room for an operator.
import type { Socket } from 'node:net';

/** Bounds on the connections of the management listener. */
export interface ConnectionBounds {
  /** Connections on which nobody has shown a token. */
  readonly strangers: number;
  /** Connections on which operators have. */
  readonly operators: number;
  /** Of these, connections of one operator: nobody shall keep the others out. */
  readonly perOperator: number;
  /** So long may a connection last on which nobody shows a token, milliseconds. */
  readonly strangerLife: number;
}

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  /** Who has shown a token on it. */
  operator: string | undefined;
  /** Requests without complete answer. */
  running: number;
  life: NodeJS.Timeout | undefined;
}

export class ManagementConnections {
  readonly #bounds: ConnectionBounds;
  // By the peer's address and port, oldest first: the socket of a request is another object than that of its connection under TLS
  readonly #strangers = new Map<string, Connection>();
  readonly #operators = new Map<string, Connection>();

  constructor(bounds: ConnectionBounds) {
    this.#bounds = bounds;
  }

  /** Takes a connection that begins; ends another one when there are too many. */
  opened(socket: Socket): void {
    const peer = peerOf(socket);
    if (peer === undefined) {
      socket.destroy();
      return;
    }
    const address = socket.remoteAddress ?? '';
    const connection: Connection = { socket, address, operator: undefined, running: 0, life: undefined };
    this.#add(peer, connection);
    socket.once('close', () => {
      clearTimeout(connection.life);
      for (const side of [this.#strangers, this.#operators]) if (side.get(peer) === connection) side.delete(peer);
    });
  }

  /** Takes a request of an operator, or of nobody known, that begins on a connection; false when there is no room for the operator. */
  began(socket: Socket, operator: string | undefined): boolean {
    const peer = peerOf(socket);
    const connection = peer === undefined ? undefined : (this.#strangers.get(peer) ?? this.#operators.get(peer));
    if (peer === undefined || connection === undefined) return true;
    if (operator === undefined) {
      if (this.#operators.delete(peer)) this.#add(peer, connection);
    } else if (connection.operator !== operator || !this.#operators.has(peer)) {
      if (!this.#hasRoomFor(operator)) return false;
      this.#strangers.delete(peer);
      clearTimeout(connection.life);
      this.#operators.set(peer, connection);
    }
    connection.operator = operator;
    connection.running++;
    return true;
  }

  /** Whether there is room for one more connection of the operator; where there is not, the oldest idle one is ended. */
  #hasRoomFor(operator: string): boolean {
    const all = [...this.#operators.values()];
    const own = all.filter((one) => one.operator === operator);
    if (own.length >= this.#bounds.perOperator) return endOldest(own, isIdle);
    return all.length < this.#bounds.operators || endOldest(all, isIdle);
  }

  /** Notes that the answer to a request that began is complete, or will never be. */
  answered(socket: Socket): void {
    const peer = peerOf(socket);
    const connection = peer === undefined ? undefined : (this.#strangers.get(peer) ?? this.#operators.get(peer));
    if (connection !== undefined) connection.running--;
  }

  #add(peer: string, connection: Connection): void {
    if (this.#strangers.size >= this.#bounds.strangers) this.#endStranger();
    this.#strangers.set(peer, connection);
    connection.life = setTimeout(() => connection.socket.destroy(), this.#bounds.strangerLife).unref();
  }

  // Who holds most of them shall not push out who holds one
  #endStranger(): void {
    const held = new Map<string, number>();
    for (const { address } of this.#strangers.values()) held.set(address, (held.get(address) ?? 0) + 1);
    const most = Math.max(...held.values());
    const ofMost = [...this.#strangers.values()].filter(({ address }) => held.get(address) === most);
    if (!endOldest(ofMost, isIdle)) endOldest(ofMost, () => true);
  }
}

function isIdle({ running }: Connection): boolean {
  return running === 0;
}

function endOldest(connections: Iterable<Connection>, may: (connection: Connection) => boolean): boolean {
  for (const connection of connections) {
    if (connection.socket.destroyed || !may(connection)) continue;
    connection.socket.destroy();
    return true;
  }
  return false;
}

// Undefined once the connection is gone
function peerOf({ remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined || remotePort === undefined ? undefined : `${remoteAddress} ${remotePort}`;
}
