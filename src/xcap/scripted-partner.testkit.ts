// A partner GMS that answers by script, and clients towards it; everything ends with `close`.
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestCertificate, testAuthority, testCertificate } from './certificates.testkit.ts';
import { type PartnerClient, type PartnerRoute, partnerClient } from './partner-client.ts';

export const groupType = 'application/vnd.oma.poc.groups+xml';
export const group = 'sip:fire/1@red.example';
export const bytes = Buffer.from('<group/>');

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Subject alternative names of the client's certificate. */
  readonly peer: string | undefined;
}

export type Script = (response: ServerResponse, request: Received) => void;

/** Status, fields and body, whatever is asked. */
export function answering(status: number, headers: Record<string, string> = {}, body = ''): Script {
  return (response) => response.writeHead(status, headers).end(body);
}

export interface ScriptedPartner {
  readonly authority: TestCertificate;
  /** All requests so far, in order. */
  readonly received: readonly Received[];
  /** Milliseconds since 1970, as the clients see it. */
  clock: number;
  /** A GMS of red on 127.0.0.1; returns its XCAP root. */
  gms(script: Script, certificate?: TestCertificate): Promise<string>;
  /** The same without TLS. */
  plainGms(script: Script): Promise<string>;
  /** A client of blue that knows red at these roots, and `silent` at none. */
  client(
    xcapRoots: readonly string[],
    route?: Partial<PartnerRoute>,
    timeout?: number,
    httpProxy?: string,
  ): PartnerClient;
  close(): Promise<void>;
}

export async function scriptedPartner(): Promise<ScriptedPartner> {
  const authority = await testAuthority('lab');
  const blue = await testCertificate(authority, { dns: ['gms.blue.example'] });
  const red = await testCertificate(authority, { dns: ['gms.red.example'], addresses: ['127.0.0.1'] });
  const received: Received[] = [];
  const clients: PartnerClient[] = [];
  const servers: Server[] = [];

  async function listen(server: Server, script: Script, scheme: string): Promise<string> {
    servers.push(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const socket = request.socket as unknown as { getPeerCertificate?: () => { subjectaltname?: string } };
        const seen = {
          method: request.method ?? '',
          url: request.url ?? '',
          headers: request.headers,
          body: Buffer.concat(chunks).toString(),
          peer: socket.getPeerCertificate?.().subjectaltname,
        };
        received.push(seen);
        script(response, seen);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/xcap-root`;
  }

  const partner: ScriptedPartner = {
    authority,
    received,
    clock: Date.parse('2026-01-01T00:00:00Z'),
    gms: (script, certificate = red) =>
      listen(
        createServer({ ...certificate, ca: authority.cert, requestCert: true, rejectUnauthorized: false }),
        script,
        'https',
      ),
    plainGms: (script) => listen(createHttpServer() as unknown as Server, script, 'http'),
    client(xcapRoots, route = {}, timeout = 5000, httpProxy = undefined) {
      const made = partnerClient({
        identity: 'sip:gms@blue.example',
        certificate: blue,
        partners: [
          { name: 'red', xcapRoots, certificates: [{ san: 'gms.red.example' }], authority: authority.cert, ...route },
          { name: 'silent', xcapRoots: [], certificates: [{ san: 'x' }] },
        ],
        timeout,
        httpProxy,
        documentBytes: 1000,
        now: () => partner.clock,
      });
      clients.push(made);
      return made;
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
  return partner;
}
