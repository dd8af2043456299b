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

export interface SipRelayOptions {
  /** SIP ports of the systems on loopback. */
  readonly ports: Readonly<Record<Side, number>>;
}

export class SipRelay {
  /** What is done with datagrams from now on. */
  traffic: SipTraffic = (datagram) => datagram.pass();
  readonly #ports: Readonly<Record<Side, number>>;
  /** Sockets that stand for each system. */
  readonly #faces: Readonly<Record<Side, Socket>>;

  private constructor(ports: Readonly<Record<Side, number>>) {
    this.#ports = ports;
    this.#faces = { red: createSocket('udp4'), blue: createSocket('udp4') };
    // What blue sends to the face of red came from blue
    this.#faces.red.on('message', (data) => this.#receive('blue', data));
    this.#faces.blue.on('message', (data) => this.#receive('red', data));
  }

  static async open({ ports }: SipRelayOptions): Promise<SipRelay> {
    const relay = new SipRelay(ports);
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
    this.#faces[to === 'red' ? 'blue' : 'red'].send(bytes, this.#ports[to], '127.0.0.1');
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
    const rewritten = head
      .replaceAll(`127.0.0.1:${this.portOf(to)}`, '127.0.0.1:\0')
      .replaceAll(`127.0.0.1:${this.#ports[from]}`, `127.0.0.1:${this.portOf(from)}`)
      .replaceAll('127.0.0.1:\0', `127.0.0.1:${this.#ports[to]}`);
    const bytes = Buffer.from(rewritten + text.slice(head.length), 'latin1');
    this.traffic({
      from,
      startLine: head.slice(0, head.indexOf('\r\n')),
      cseq: /^CSeq:\s*(.*)$/im.exec(head)?.[1]?.trim() ?? '',
      text,
      pass: () => this.#faces[from].send(bytes, this.#ports[to], '127.0.0.1'),
    });
  }
}
