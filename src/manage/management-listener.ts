// The listener of the management API: few connections, short time-outs, TLS when configured.
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { drainTime } from './running-gateway.ts';

export interface ManagementListenOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** PEM texts; absent = plain TCP. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string | undefined } | undefined;
}

export interface ManagementListener {
  /** `http://host:port` as bound. */
  readonly url: string;
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
      : createTlsServer({ ...bounds, cert: tls.cert, key: tls.key, ...clientSide(tls.clientCa) }, handler);
  server.maxConnections = 200;
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
    close: () => close(server),
  };
}

function clientSide(clientCa: string | undefined) {
  return clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const hard = setTimeout(() => server.closeAllConnections(), drainTime);
  await closed;
  clearTimeout(hard);
}
