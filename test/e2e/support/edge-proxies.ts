// HTTP proxies on the edges of two systems, as their operators might run them: one that tunnels (CONNECT, mutual TLS stays end to end),
// and a pair that ends TLS, where the receiving one conveys the certificate that it saw (RFC 9440).
import { once } from 'node:events';
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, request as httpsRequest } from 'node:https';
import { connect, type Server as NetServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface KeyMaterial {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface EdgeProxy {
  close(): Promise<void>;
}

/** One message that crossed the border between the systems, head and body. */
export type Heard = (from: 'caller' | 'called', text: string) => void;

/** Fields that concern one connection, RFC 9110 clause 7.6.1, and those that only an edge itself may set. */
const notPassed = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'client-cert',
  'client-cert-chain',
  'host',
]);

/** A forward proxy that opens tunnels to the names it knows, `gms.blue.example:443`, and to nothing else. */
export async function tunnellingProxy(
  listen: Address,
  names: Readonly<Record<string, Address>>,
  onTunnel: (name: string, head: string) => void,
): Promise<EdgeProxy> {
  const server = createServer((_, response) => response.writeHead(405).end());
  const sockets = new Set<Socket>();
  server.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
    const name = request.url ?? '';
    onTunnel(name, request.rawHeaders.join('\n'));
    const to = names[name];
    if (to === undefined) {
      client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const called = connect({ ...to, localAddress: listen.host }, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      called.write(head);
      called.pipe(client).pipe(called);
    });
    for (const [socket, other] of [
      [client, called],
      [called, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
    }
  });
  return listening(server, listen, sockets);
}

/**
 * The edge of the calling system: TLS with the key `inner` for its gateway, mutual TLS with the key `outer` towards the other edge, which
 * it knows by name.
 */
export async function leavingEdge(
  listen: Address,
  to: Address & { readonly name: string },
  inner: KeyMaterial,
  outer: KeyMaterial,
): Promise<EdgeProxy> {
  const server = createTlsServer(inner, (request, response) => {
    pass(
      request,
      response,
      (headers) =>
        httpsRequest({
          host: to.host,
          port: to.port,
          localAddress: listen.host,
          servername: to.name,
          method: request.method,
          path: request.url,
          headers: [...headers, 'Host', to.name],
          ...outer,
        }),
      () => undefined,
    );
  });
  return listening(server, listen);
}

/** The edge of the called system: mutual TLS from outside, plain HTTP with the caller's certificate conveyed to its gateway. */
export async function enteringEdge(listen: Address, to: Address, keys: KeyMaterial, heard: Heard): Promise<EdgeProxy> {
  const agent = new Agent({ keepAlive: true, localAddress: listen.host });
  const server = createTlsServer({ ...keys, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    const certificate = (request.socket as TLSSocket).getPeerCertificate().raw.toString('base64');
    pass(
      request,
      response,
      (headers) =>
        httpRequest({
          host: to.host,
          port: to.port,
          agent,
          method: request.method,
          path: request.url,
          headers: [...headers, 'Host', request.headers.host ?? '', 'Client-Cert', `:${certificate}:`],
        }),
      heard,
    );
  });
  const { close } = await listening(server, listen);
  return {
    async close() {
      agent.destroy();
      await close();
    },
  };
}

function pass(
  request: IncomingMessage,
  response: ServerResponse,
  call: (headers: readonly string[]) => ReturnType<typeof httpRequest>,
  heard: Heard,
): void {
  const outgoing = call(passed(request.rawHeaders));
  const body: Buffer[] = [];
  request.on('data', (chunk: Buffer) => {
    body.push(chunk);
    outgoing.write(chunk);
  });
  request.on('end', () => {
    heard('caller', text(`${request.method} ${request.url}`, request.rawHeaders, body));
    outgoing.end();
  });
  outgoing.on('error', () => response.destroyed || response.writeHead(502).end());
  outgoing.on('response', (answer) => {
    const content: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => content.push(chunk));
    answer.on('end', () => {
      heard('called', text(String(answer.statusCode), answer.rawHeaders, content));
      response.writeHead(answer.statusCode ?? 502, passed(answer.rawHeaders));
      response.end(Buffer.concat(content));
    });
  });
}

function passed(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, at) => !notPassed.has((rawHeaders[at - (at % 2)] ?? '').toLowerCase()));
}

function text(startLine: string, rawHeaders: readonly string[], body: readonly Buffer[]): string {
  const fields = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
  return [startLine, ...fields, '', Buffer.concat(body).toString('utf8')].join('\n');
}

async function listening(
  server: Server | NetServer,
  { host, port }: Address,
  sockets = new Set<Socket>(),
): Promise<EdgeProxy> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    async close() {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
