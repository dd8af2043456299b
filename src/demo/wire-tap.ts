// Stands between the two systems of the demo on CSC-16 and reads what really crosses: it ends mutual TLS on one side and
// starts it on the other with the lab keys, passes every byte on unchanged and reports the head of each HTTP message.
import { connect, createServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { type HttpMessage, HttpMessageReader } from './http-messages.ts';

/** One request with its response as they crossed the wire. */
export interface Exchange {
  readonly request: HttpMessage;
  readonly response: HttpMessage;
}

export interface WireTapOptions {
  readonly port: number;
  /** What the calling system takes for its partner: certificate and key of the called one. */
  readonly asServer: SecureContextOptions;
  /** What the called system takes for its partner: certificate and key of the calling one. */
  readonly asClient: SecureContextOptions;
  readonly target: { readonly host: string; readonly port: number };
  readonly onExchange: (exchange: Exchange) => void;
  /** Asked for each request; true = its answer is kept from the caller and reported to `onWithheld` when it arrives. */
  readonly withhold?: (request: HttpMessage) => boolean;
  readonly onWithheld?: (exchange: Exchange) => void;
}

export interface WireTap {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts listening on loopback. Rejects when the port is taken. */
export async function startWireTap(options: WireTapOptions): Promise<WireTap> {
  const sockets = new Set<TLSSocket>();
  const keep = (socket: TLSSocket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  };
  const server = createServer({ ...options.asServer, requestCert: true, rejectUnauthorized: true }, (caller) => {
    keep(caller);
    const called = connect({
      ...options.target,
      ...options.asClient,
      servername: '',
      checkServerIdentity: () => undefined,
    });
    keep(called);
    relay(caller, called, options);
    for (const [socket, other] of [
      [caller, called],
      [called, caller],
    ] as const) {
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

// HTTP/1.1 answers come in the order of the requests on one connection (RFC 9112 9.3.2).
function relay(caller: TLSSocket, called: TLSSocket, options: WireTapOptions): void {
  const waiting: HttpMessage[] = [];
  let withheld = false;
  const requests = new HttpMessageReader(
    (request) => {
      waiting.push(request);
      withheld = options.withhold?.(request) ?? false;
    },
    () => true,
  );
  const responses = new HttpMessageReader(
    (response) => {
      const request = waiting.shift();
      if (request === undefined) return;
      if (withheld) options.onWithheld?.({ request, response });
      else options.onExchange({ request, response });
    },
    (startLine) => {
      const status = Number(startLine.split(' ')[1]);
      return status !== 304 && status !== 204 && !(waiting[0]?.startLine.startsWith('HEAD ') ?? false);
    },
  );
  caller.on('data', (chunk: Buffer) => requests.push(chunk));
  caller.pipe(called);
  called.on('data', (chunk: Buffer) => {
    if (!withheld && !caller.write(chunk)) {
      called.pause();
      caller.once('drain', () => called.resume());
    }
    responses.push(chunk);
  });
}
