// The listener of the management API: few connections, short time-outs, TLS when configured.
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type SecureContextOptions, Server as TlsServer } from 'node:tls';
import { tlsSuites } from '../identity/tls-suites.ts';
import { drainTime } from './running-gateway.ts';

export interface ManagementListenOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Absent = plain TCP. */
  readonly tls?: ManagementTls | undefined;
}

/** PEM texts. */
export interface ManagementTls {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string | undefined;
  /** Revocation lists of these CAs, PEM texts of one each. */
  readonly crl?: readonly string[] | undefined;
}

export interface ManagementListener {
  /** `http://host:port` as bound. */
  readonly url: string;
  /** Uses other certificates for connections from now on; without TLS there is nothing to replace. */
  replaceTls(tls: ManagementTls): void;
  /** Stops accepting, lets running requests finish for at most the drain time. */
  close(): Promise<void>;
}

/** Starts to listen; rejects when the address cannot be bound. */
export async function startManagementListener(
  { host, port, tls }: ManagementListenOptions,
  handler: RequestListener,
): Promise<ManagementListener> {
  const bounds = { requestTimeout: 60_000, headersTimeout: 10_000, keepAliveTimeout: 5_000, maxHeaderSize: 16_384 };
  const server: Server =
    tls === undefined
      ? createServer(bounds, handler)
      : createTlsServer({ ...bounds, ...secureContext(tls), requestCert: tls.clientCa !== undefined }, handler);
  server.maxConnections = 200;
  const underWay = new Set<ServerResponse>();
  server.prependListener('request', (_request, response: ServerResponse) => {
    underWay.add(response);
    response.once('close', () => underWay.delete(response));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address() as AddressInfo;
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${shown}:${bound.port}`,
    replaceTls: (material) => {
      if (server instanceof TlsServer) server.setSecureContext(secureContext(material));
    },
    close: () => close(server, underWay),
  };
}

function secureContext({ cert, key, clientCa, crl }: ManagementTls): SecureContextOptions {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ciphers: tlsSuites,
    ...(clientCa === undefined ? {} : { ca: clientCa }),
    ...(crl === undefined ? {} : { crl: [...crl] }),
  };
}

async function close(server: Server, underWay: ReadonlySet<ServerResponse>): Promise<void> {
  // a client that keeps its connection would hold up the end
  for (const response of underWay) response.shouldKeepAlive = false;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const hard = setTimeout(() => server.closeAllConnections(), drainTime);
  await closed;
  clearTimeout(hard);
}
