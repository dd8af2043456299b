// A partner GMS as a test plays it on CSC-16: mutual TLS with a given certificate, an asserted identity, nothing else.
import { Agent, request } from 'undici';

export interface ConnectorOptions {
  readonly root: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Name that the server's certificate must have; absent = the host of the root. */
  readonly servername?: string;
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Connector {
  (
    method: 'GET' | 'PUT' | 'DELETE',
    path: string,
    identity: string,
    body?: string,
  ): Promise<{ readonly status: number; readonly body: string }>;
  close(): Promise<void>;
}

/** Requests to a CSC-16 face below its XCAP root. */
export function partnerConnector({ root, ca, cert, key, servername, headers = {} }: ConnectorOptions): Connector {
  const dispatcher = new Agent({ connect: { ca, cert, key, ...(servername === undefined ? {} : { servername }) } });
  const connector = async (
    method: 'GET' | 'PUT' | 'DELETE',
    path: string,
    identity: string,
    body?: string,
  ): Promise<{ readonly status: number; readonly body: string }> => {
    const response = await request(`${root}/${path}`, {
      method,
      dispatcher,
      headers: {
        ...headers,
        'x-3gpp-asserted-identity': `"${identity}"`,
        ...(body === undefined ? {} : { 'content-type': 'application/vnd.oma.poc.groups+xml' }),
      },
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.statusCode, body: await response.body.text() };
  };
  return Object.assign(connector, { close: () => dispatcher.close() });
}
