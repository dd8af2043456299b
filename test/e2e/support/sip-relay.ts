// Stands between two gateways on SIP over UDP: each knows the relay's port as the other's address, so that requests, answers and what
// comes later in the dialog pass through it both ways.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export type Side = 'red' | 'blue';

/** One datagram on its way. */
export interface Datagram {
  readonly from: Side;
  /** Its first line. */
  readonly startLine: string;
  /** Value of the CSeq field. */
  readonly cseq: string;
  /** As it came. */
  readonly text: string;
  /** Sends it on; may be called never, later, or more than once. */
  pass(): void;
}

export type SipTraffic = (datagram: Datagram) => void;

export interface SipAddress {
  readonly host: string;
  readonly port: number;
}

export class SipRelay {
  /** What is done with datagrams from now on. */
  traffic: SipTraffic = (datagram) => datagram.pass();
  readonly #addresses: Readonly<Record<Side, SipAddress>>;
  /** Sockets that stand for each system. */
  readonly #faces: Readonly<Record<Side, Socket>>;

  private constructor(addresses: Readonly<Record<Side, SipAddress>>) {
    this.#addresses = addresses;
    this.#faces = { red: createSocket('udp4'), blue: createSocket('udp4') };
    // What blue sends to the face of red came from blue
    this.#faces.red.on('message', (data) => this.#receive('blue', data));
    this.#faces.blue.on('message', (data) => this.#receive('red', data));
  }

  /** Between two systems that send and receive at these addresses; the relay itself is on 127.0.0.1. */
  static async open(addresses: Readonly<Record<Side, SipAddress>>): Promise<SipRelay> {
    const relay = new SipRelay(addresses);
    for (const face of Object.values(relay.#faces)) {
      const listening = once(face, 'listening');
      face.bind(0, '127.0.0.1');
      await listening;
    }
    return relay;
  }

  /** Port of loopback at which the system is reached through the relay. */
  portOf(side: Side): number {
    return this.#faces[side].address().port;
  }

  /** Sends bytes of our own to a system, as if they came from the other. */
  inject(to: Side, bytes: Uint8Array): void {
    this.#send(to === 'red' ? 'blue' : 'red', bytes, to);
  }

  close(): void {
    for (const face of Object.values(this.#faces)) face.close();
  }

  #receive(from: Side, data: Buffer): void {
    const to = from === 'red' ? 'blue' : 'red';
    const text = data.toString('latin1');
    const headEnd = text.indexOf('\r\n\r\n');
    const head = headEnd < 0 ? text : text.slice(0, headEnd);
    // Names both go by on this side become those of the other side
    const own = ({ host, port }: SipAddress): string => `${host}:${port}`;
    const rewritten = head
      .replaceAll(`127.0.0.1:${this.portOf(to)}`, '\0')
      .replaceAll(own(this.#addresses[from]), `127.0.0.1:${this.portOf(from)}`)
      .replaceAll('\0', own(this.#addresses[to]));
    const bytes = Buffer.from(rewritten + text.slice(head.length), 'latin1');
    this.traffic({
      from,
      startLine: head.slice(0, head.indexOf('\r\n')),
      cseq: /^CSeq:\s*(.*)$/im.exec(head)?.[1]?.trim() ?? '',
      text,
      pass: () => this.#send(from, bytes, to),
    });
  }

  #send(from: Side, bytes: Uint8Array, to: Side): void {
    const { host, port } = this.#addresses[to];
    this.#faces[from].send(bytes, port, host);
  }
}
