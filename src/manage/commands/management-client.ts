// The commands' way to a running gateway: requests to its management API, and what is to be said when they fail.
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { Agent, type Dispatcher, request } from 'undici';
import { loadConfiguration, problemLine } from '../../config/load.ts';
import { unreadable, WrongUsage } from './terminal.ts';

/** How a command finds the gateway: its configuration, or URL and token. */
export interface GatewayAddress {
  readonly config?: string | undefined;
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  /** File with the CA of the management listener, PEM. */
  readonly ca?: string | undefined;
}

/** The gateway cannot be addressed with the options given: wrong usage. */
export class AddressProblem extends WrongUsage {}

/** The gateway did not do what was asked: it refused, or cannot be reached. */
export class ManagementFailure extends Error {}

/** Nobody answers where the gateway should be. */
export class GatewayUnreachable extends ManagementFailure {}

export interface ManagementAnswer {
  readonly body: string;
  readonly tag?: string | undefined;
}

export interface ManagementRequest {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Path below `/api/v1/`, encoded. */
  readonly path: string;
  readonly accept?: string;
  readonly contentType?: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ManagementClient {
  /** Sends one request; throws ManagementFailure for any answer but 2xx. */
  send(asked: ManagementRequest): Promise<ManagementAnswer>;
  /** A GET whose answer is JSON. */
  json(path: string): Promise<unknown>;
  /** A request whose answer is taken as it comes; a GET by default. Throws ManagementFailure for any answer but 2xx. */
  stream(path: string, asked?: Pick<ManagementRequest, 'method' | 'body' | 'contentType'>): Promise<Readable>;
  close(): Promise<void>;
}

/** A client of the gateway at `address`. Throws AddressProblem. */
export function managementClient(address: GatewayAddress): ManagementClient {
  const { url, token, ca } = resolveAddress(address);
  const dispatcher = new Agent({
    connect: ca === undefined ? {} : { ca },
    keepAliveTimeout: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const ask = async (asked: ManagementRequest): Promise<Dispatcher.ResponseData> => {
    let response: Dispatcher.ResponseData;
    try {
      response = await request(`${url}/api/v1/${asked.path}`, {
        dispatcher,
        method: asked.method ?? 'GET',
        headers: {
          authorization: `Bearer ${token}`,
          accept: asked.accept ?? 'application/json',
          ...(asked.contentType === undefined ? {} : { 'content-type': asked.contentType }),
          ...asked.headers,
        },
        ...(asked.body === undefined ? {} : { body: asked.body }),
      });
    } catch (error) {
      throw new GatewayUnreachable(unreachable(url, error as NodeJS.ErrnoException));
    }
    if (response.statusCode < 300) return response;
    throw new ManagementFailure(refusalText(response.statusCode, await response.body.text()));
  };
  const send = async (asked: ManagementRequest): Promise<ManagementAnswer> => {
    const response = await ask(asked);
    let body: string;
    try {
      body = await response.body.text();
    } catch (error) {
      throw new ManagementFailure(`the answer of ${url} broke off: ${(error as Error).message}`);
    }
    const { etag } = response.headers;
    return { body, tag: typeof etag === 'string' ? etag.replace(/^"|"$/g, '') : undefined };
  };
  return {
    send,
    stream: async (path, asked) => (await ask({ ...asked, path })).body,
    json: async (path) => {
      const { body } = await send({ path });
      try {
        return JSON.parse(body) as unknown;
      } catch {
        throw new ManagementFailure(`what answers at ${url} is not the management API of a gateway`);
      }
    },
    close: () => dispatcher.close(),
  };
}

function resolveAddress({ config, url, token, ca }: GatewayAddress): {
  readonly url: string;
  readonly token: string;
  readonly ca: string | undefined;
} {
  const authority = ca === undefined ? undefined : readText(ca);
  if (config === undefined) {
    if (url === undefined || token === undefined) {
      const told = url === undefined ? '' : ' (--url alone: the token is missing)';
      throw new AddressProblem(`say which gateway: --config FILE, or --url URL and --token TOKEN${told}`);
    }
    return { url: managementUrl(url), token: headerToken(token), ca: authority };
  }
  const { configuration, problems } = loadConfiguration(config, Date.now());
  if (configuration === undefined) throw new AddressProblem(problems.map(problemLine).join('\n'));
  const { manage } = configuration;
  if (manage === undefined) throw new AddressProblem(`${config} has no section manage`);
  const { host, port, tls } = manage.listen;
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const scheme = tls === undefined ? 'http' : 'https';
  const own = `${scheme}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
  return {
    url: url === undefined ? own : managementUrl(url),
    token: headerToken(token ?? manage.token),
    ca: authority,
  };
}

// RFC 6750 2.1: what stands in a header field
function headerToken(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new AddressProblem('the token must be printable ASCII without spaces');
}

function unreachable(url: string, { code, message }: NodeJS.ErrnoException): string {
  const advice = code === 'ECONNREFUSED' ? '; nothing listens there: is it running (mcgw serve)?' : '';
  return `cannot reach the gateway at ${url}: ${message}${advice}`;
}

function managementUrl(url: string): string {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
    throw new AddressProblem('--url must be an http: or https: URL');
  const { search, hash, username, password } = new URL(url);
  if (search !== '' || hash !== '' || username !== '' || password !== '') {
    throw new AddressProblem('--url must have neither query nor fragment nor user: the token has an option of its own');
  }
  return url.replace(/(\/api\/v1)?\/*$/, '');
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new AddressProblem(unreadable(file, error));
  }
}

function refusalText(status: number, body: string): string {
  try {
    const { code, phrase } = JSON.parse(body) as { readonly code?: string; readonly phrase?: string };
    if (code !== undefined) return `${code}: ${phrase ?? ''} (${status})`;
  } catch {
    // not ours: the status alone tells
  }
  return `the gateway answered ${status}`;
}
