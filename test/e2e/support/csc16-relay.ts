// Stands between two gateways on CSC-16 and does with each message what a test wants: it ends mutual TLS on one side and starts it on
// the other with the lab keys, so that it can lose, hold, break, repeat and invent requests and answers.
import { once } from 'node:events';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { connect, createServer as createTlsServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { type HttpMessage, HttpMessageReader } from '../../../src/demo/http-messages.ts';

/** One request on its way through the relay. */
export interface Passage {
  readonly request: HttpMessage;
  /** Sends the request to the called system and resolves to its answer. Rejects when the connection breaks before. */
  forward(): Promise<HttpMessage>;
  /** Sends the head and half of the body, or half of the head without one; resolves when they are out. The rest never follows. */
  forwardHalf(): Promise<void>;
  /** Sends bytes to the caller. */
  answer(bytes: Uint8Array): void;
  /** Breaks the caller's connection. */
  cut(): void;
  /** Ends our side of the caller's connection, leaving its own open. */
  halfClose(): void;
}

/** What becomes of a request. A rejection breaks the caller's connection. */
export type Traffic = (passage: Passage) => Promise<void>;

export interface RelayOptions {
  readonly port: number;
  /** What the calling system takes for its partner: certificate and key of the called one, CA. */
  readonly asServer: SecureContextOptions;
  /** What the called system takes for its partner. */
  readonly asClient: SecureContextOptions;
  /** Port of loopback of the called system. */
  readonly target: number;
}

/** As if nothing stood in between. */
export const passOn: Traffic = async (passage) => passage.answer((await passage.forward()).raw);

export class Csc16Relay {
  /** What is done with requests from now on. */
  traffic: Traffic = passOn;
  /** Set = connections are accepted, and nothing else happens: it is told of each. */
  onHeldConnection: (() => void) | undefined;
  readonly #options: RelayOptions;
  readonly #sockets = new Set<Socket>();
  readonly #outer = createTcpServer((socket) => this.#accept(socket));
  readonly #inner;

  private constructor(options: RelayOptions) {
    this.#options = options;
    this.#inner = createTlsServer({ ...options.asServer, requestCert: true, rejectUnauthorized: true }, (caller) =>
      this.#serve(caller),
    );
    // A caller that is killed while it shakes hands
    this.#inner.on('tlsClientError', () => undefined);
  }

  /** Listens on loopback. Rejects when the port is taken. */
  static async open(options: RelayOptions): Promise<Csc16Relay> {
    const relay = new Csc16Relay(options);
    relay.#outer.listen(options.port, '127.0.0.1');
    await once(relay.#outer, 'listening');
    return relay;
  }

  /** Breaks all connections, on both sides. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cutAll();
    const closed = once(this.#outer, 'close');
    this.#outer.close();
    await closed;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #accept(socket: Socket): void {
    this.#keep(socket);
    if (this.onHeldConnection === undefined) this.#inner.emit('connection', socket);
    else this.onHeldConnection();
  }

  #serve(caller: TLSSocket): void {
    this.#keep(caller);
    // RFC 9112 9.3.2: answers come in the order of the requests
    let last = Promise.resolve();
    const reader = new HttpMessageReader(
      (request) => {
        last = last.then(() => this.traffic(this.#passage(request, caller))).catch(() => void caller.destroy());
      },
      () => true,
    );
    caller.on('data', (chunk: Buffer) => reader.push(chunk));
  }

  #passage(request: HttpMessage, caller: TLSSocket): Passage {
    return {
      request,
      forward: async () => {
        const called = await this.#call();
        try {
          return await exchange(called, request);
        } finally {
          called.destroy();
        }
      },
      forwardHalf: async () => {
        const called = await this.#call();
        const headEnd = request.raw.indexOf('\r\n\r\n') + 4;
        const body = request.raw.length - headEnd;
        const half = body === 0 ? headEnd >> 1 : headEnd + (body >> 1);
        await new Promise<void>((resolve) => called.write(request.raw.subarray(0, half), () => resolve()));
      },
      answer: (bytes) => void caller.write(bytes),
      cut: () => void caller.destroy(),
      halfClose: () => void caller.end(),
    };
  }

  async #call(): Promise<TLSSocket> {
    const called = connect({
      host: '127.0.0.1',
      port: this.#options.target,
      ...this.#options.asClient,
      servername: '',
      checkServerIdentity: () => undefined,
    });
    this.#keep(called);
    await once(called, 'secureConnect');
    return called;
  }
}

function exchange(called: TLSSocket, request: HttpMessage): Promise<HttpMessage> {
  return new Promise((resolve, reject) => {
    const reader = new HttpMessageReader(resolve, (startLine) => {
      const status = Number(startLine.split(' ')[1]);
      return status !== 304 && status !== 204 && !request.startLine.startsWith('HEAD ');
    });
    called.on('data', (chunk: Buffer) => reader.push(chunk));
    called.on('close', () => reject(new Error('the called system closed the connection')));
    called.write(request.raw);
  });
}
