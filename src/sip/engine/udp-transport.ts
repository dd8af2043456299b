// UDP: one socket per listening address, one message per datagram (RFC 3261 18.2.1, 18.3).
import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { messageBytes } from './message.ts';
import { parseDatagram } from './parse-message.ts';
import {
  type Admit,
  type Flow,
  type FlowUser,
  type ListenAddress,
  type LocalEndpoint,
  localEndpoint,
  type OnMessage,
} from './transport.ts';

/** Largest UDP payload over IPv4. */
const LARGEST_DATAGRAM = 65_507;
const RECEIVE_BUFFER = 4_194_304;

class UdpFlow implements Flow {
  readonly transport = 'udp';
  readonly open = true;
  readonly peerIdentity = '';
  readonly address: string;
  readonly port: number;
  readonly #transport: UdpTransport;

  constructor(transport: UdpTransport, address: string, port: number) {
    this.#transport = transport;
    this.address = address;
    this.port = port;
  }

  get local(): LocalEndpoint {
    return this.#transport.local;
  }

  send(text: string, user?: FlowUser): void {
    this.#transport.send(text, this.address, this.port, user);
  }

  at(port: number): Flow {
    return port === this.port ? this : new UdpFlow(this.#transport, this.address, port);
  }

  release(): void {}

  end(): void {}
}

export class UdpTransport {
  readonly local: LocalEndpoint;
  readonly #socket: Socket;
  #closed = false;

  private constructor(socket: Socket, local: LocalEndpoint) {
    this.#socket = socket;
    this.local = local;
  }

  /** Binds; the real port is in `local`. */
  static async open(listen: ListenAddress, advertise: string, admit: Admit, deliver: OnMessage): Promise<UdpTransport> {
    const v6 = isIP(listen.address) === 6;
    const socket = createSocket({
      type: v6 ? 'udp6' : 'udp4',
      ipv6Only: v6,
      // Destinations are addresses already: answering at once saves a trip through the resolver for each datagram.
      lookup: (host, _options, done) => done(null, host, v6 ? 6 : 4),
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address: listen.address, port: listen.port, exclusive: true }, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    try {
      socket.setRecvBufferSize(RECEIVE_BUFFER);
    } catch {
      // The system's own size is enough at lower rates.
    }
    const transport = new UdpTransport(socket, localEndpoint(listen, socket.address().port, advertise));
    // Failures of single datagrams reach the sender by its callback; without one they have no one to tell.
    socket.on('error', () => undefined);
    socket.on('message', (octets, { address, port }) => {
      // Fewer octets than any message: keep-alives of RFC 5626 3.5.1 and scans.
      if (octets.length < 16) return;
      const isResponse = octets[0] === 83 && octets[1] === 73 && octets[2] === 80 && octets[3] === 47;
      const admission = isResponse ? 'serve' : admit(address);
      if (admission === 'drop') return;
      deliver(parseDatagram(octets), new UdpFlow(transport, address, port), admission);
    });
    return transport;
  }

  flow(address: string, port: number): Flow {
    return new UdpFlow(this, address, port);
  }

  send(text: string, address: string, port: number, user: FlowUser | undefined): void {
    if (this.#closed) return;
    if (text.length > LARGEST_DATAGRAM) {
      if (user) queueMicrotask(() => user.onFlowFailed());
      return;
    }
    const octets = messageBytes(text);
    if (!user) this.#socket.send(octets, port, address);
    else {
      this.#socket.send(octets, port, address, (error) => {
        if (error) user.onFlowFailed();
      });
    }
  }

  close(): void {
    this.#closed = true;
    this.#socket.close();
  }
}
