// Stands between a store and its server and breaks what a test wants broken: before a COMMIT arrives, after it did, on one side only, or silently.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  readonly store: Socket;
  readonly server: Socket;
}

export class Relay {
  readonly port: number;
  readonly #listener: Server;
  readonly #pairs = new Set<Pair>();
  /** What is done with the next bytes that hold a COMMIT; once. */
  onCommit: ((pass: () => void, cut: () => void) => void) | undefined;
  /** Connections are accepted and ended at once. */
  closed = false;

  private constructor(listener: Server, port: number, target: number) {
    this.#listener = listener;
    this.port = port;
    listener.on('connection', (store: Socket) => {
      store.on('error', () => undefined);
      if (this.closed) {
        store.destroy();
        return;
      }
      const server = connect(target, '127.0.0.1');
      server.on('error', () => undefined);
      const pair = { store, server };
      this.#pairs.add(pair);
      store.on('data', (bytes) => this.#toServer(pair, bytes));
      server.on('data', (bytes) => void store.write(bytes));
      store.on('close', () => server.end());
      server.on('close', () => {
        this.#pairs.delete(pair);
        store.destroy();
      });
    });
  }

  /** Listens on loopback and passes on to the server at `target`. */
  static async open(target: number): Promise<Relay> {
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    return new Relay(listener, typeof address === 'object' && address !== null ? address.port : 0, target);
  }

  /** Breaks all connections on both sides. */
  cutAll(): void {
    for (const { store, server } of this.#pairs) {
      store.destroy();
      server.destroy();
    }
  }

  /** Breaks the side of the store; the server hears nothing of it. */
  cutStore(): void {
    for (const { store, server } of this.#pairs) {
      store.removeAllListeners('close');
      store.destroy();
      server.removeAllListeners('data');
      server.resume();
    }
  }

  /** Nothing is passed on any more, in either direction. */
  swallow(): void {
    for (const { store, server } of this.#pairs) {
      store.removeAllListeners('data').resume();
      server.removeAllListeners('data').resume();
    }
  }

  async close(): Promise<void> {
    this.cutAll();
    const ended = once(this.#listener, 'close');
    this.#listener.close();
    await ended;
  }

  #toServer({ store, server }: Pair, bytes: Buffer): void {
    const act = this.onCommit;
    if (act === undefined || !/commit/i.test(bytes.toString('latin1'))) {
      server.write(bytes);
      return;
    }
    this.onCommit = undefined;
    act(
      () => {
        // The answer goes nowhere.
        server.removeAllListeners('data').resume();
        server.write(bytes);
      },
      () => {
        store.destroy();
        server.end();
      },
    );
  }
}
