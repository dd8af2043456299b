// A partner GMS on a real TLS socket that answers a gateway by script, octet by octet: the right partner, or a wrong or hostile one.
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:tls';
import { labFiles } from './gateway.testkit.ts';

export interface PartnerAsked {
  readonly method: string;
  /** Below the XCAP root, with leading slash. */
  readonly path: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Answers one request. The connection stays open unless the script ends it. */
export type PartnerScript = (asked: PartnerAsked, socket: Socket) => void;

export interface WirePartner {
  /** XCAP root URI. */
  readonly root: string;
  /** All requests so far, in order. */
  readonly asked: PartnerAsked[];
  /** May be replaced at any time. */
  script: PartnerScript;
  /** Requests with this method, in order. */
  with(method: string): readonly PartnerAsked[];
  close(): Promise<void>;
}

/** A partner with the lab certificate of `name` on a free port of loopback. */
export async function wirePartner(name: 'red' | 'blue', script: PartnerScript): Promise<WirePartner> {
  const files = await labFiles();
  const pem = (file: string): string => files.get(file) ?? '';
  const sockets = new Set<Socket>();
  const asked: PartnerAsked[] = [];
  const server = createServer(
    { cert: pem(`${name}.crt`), key: pem(`${name}.key`), ca: pem('ca.crt'), requestCert: true },
    (socket) => {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
      readRequests(socket, (one) => {
        asked.push(one);
        partner.script(one, socket);
      });
    },
  );
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const partner: WirePartner = {
    root: `https://127.0.0.1:${(server.address() as AddressInfo).port}/xcap-root`,
    asked,
    script,
    with: (method) => asked.filter((one) => one.method === method),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return partner;
}

/** Writes a complete answer; Content-Length is added where a field of framing is missing. */
export function answer(socket: Socket, status: number, headers: Record<string, string> = {}, body = ''): void {
  const framed = 'Content-Length' in headers || 'Transfer-Encoding' in headers;
  const fields = { ...(framed ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }), ...headers };
  const lines = Object.entries(fields).map(([field, value]) => `${field}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${status} x\r\n${lines.join('')}\r\n${body}`);
}

function readRequests(socket: Socket, onRequest: (asked: PartnerAsked) => void): void {
  let received = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    for (;;) {
      const headEnd = received.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const [line = '', ...fields] = received.subarray(0, headEnd).toString('latin1').split('\r\n');
      const headers = Object.fromEntries(
        fields.map((field) => [
          field.slice(0, field.indexOf(':')).toLowerCase(),
          field.slice(field.indexOf(':') + 1).trim(),
        ]),
      );
      const end = headEnd + 4 + Number(headers['content-length'] ?? 0);
      if (received.length < end) return;
      const [method = '', target = ''] = line.split(' ');
      const body = received.subarray(headEnd + 4, end).toString();
      received = received.subarray(end);
      onRequest({ method, path: target.replace(/^\/xcap-root/, ''), headers, body, at: Date.now() });
    }
  });
}
