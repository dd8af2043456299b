// A whole gateway for the XCAP tests: configuration file, listener, document service, schemas and SQLite are the real ones.
// Requests go out as raw octets. Everybody on loopback may assert an identity.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { problemLine } from '../../src/config/load.ts';
import { startGateway } from '../../src/gateway.ts';
import { prepare } from '../../src/manage/prepare.ts';
import { exchange, rawRequest, type WireAnswer } from '../../src/xcap/wire.testkit.ts';

/** Administrator of groups, and owner of the users tree in which most tests work. */
export const keeper = 'sip:keeper@mcx.alpha.example';
/** A user of the same system. */
export const other = 'sip:other@mcx.alpha.example';
/** An MC service server of the system. */
export const mcServer = 'sip:mcptt@mcx.alpha.example';

/** AUIDs of the lab usages; `plain` has no default document namespace, `nstest` has one. */
export const plain = 'org.example.plain';
export const nstest = 'org.example.nstest';
export const nstestNamespace = 'urn:test:default-namespace';
export const groups = 'org.openmobilealliance.groups';

export const elementType = 'application/xcap-el+xml';
export const attributeType = 'application/xcap-att+xml';
export const bindingsType = 'application/xcap-ns+xml';
export const plainType = 'application/vnd.example.plain+xml';
export const groupType = 'application/vnd.oma.poc.groups+xml';

/** Application usages of the vectors that do not come with the gateway. */
export const labUsages = [
  { auid: plain, mimeType: plainType },
  { auid: nstest, mimeType: 'application/vnd.example.nstest+xml', defaultDocumentNamespace: nstestNamespace },
  {
    auid: 'org.example.watcherinfo',
    mimeType: 'application/watcherinfo+xml',
    defaultDocumentNamespace: 'urn:ietf:params:xml:ns:watcherinfo',
  },
  {
    auid: 'rls-services',
    mimeType: 'application/rls-services+xml',
    defaultDocumentNamespace: 'urn:ietf:params:xml:ns:rls-services',
  },
];

const basePath = '/xcap-root';

export interface Sending {
  readonly as?: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | undefined;
}

export interface XcapServer {
  /** XCAP root as bound, without trailing slash. */
  readonly root: string;
  /** One request to a path below the root, on a connection of its own, by `keeper` unless it says otherwise. */
  send(method: string, path: string, sending?: Sending): Promise<WireAnswer>;
  close(): Promise<void>;
}

/** Writes the configuration of a gateway into a folder of its own; `more` is merged into it. Resolves with the file. */
export async function writeConfiguration(more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'mcgw-xcap-')), 'gateway.yaml');
  const configuration = {
    system: {
      name: 'alpha',
      domains: ['mcx.alpha.example', 'alpha.example'],
      gms: 'sip:gms@mcx.alpha.example',
      groupCreationXui: 'sip:groups@mcx.alpha.example',
      servers: [mcServer],
      administrators: [keeper, { id: 'sip:limited@mcx.alpha.example', groups: ['sip:fire-*@mcx.alpha.example'] }],
    },
    xcap: { listen: { port: 0 }, root: `http://127.0.0.1:0${basePath}` },
    identity: { trustedProxies: ['127.0.0.1'] },
    storage: { sqlite: 'groups.db' },
    applicationUsages: labUsages,
    logging: { level: 'silent' },
    ...more,
  };
  await writeFile(file, stringify(configuration));
  return file;
}

/** Starts a gateway; `more` is merged into the configuration. */
export async function startXcapServer(more: Readonly<Record<string, unknown>> = {}): Promise<XcapServer> {
  const file = await writeConfiguration(more);
  const { prepared, problems } = await prepare(file, Date.now());
  if (prepared === undefined) throw new Error(problems.map(problemLine).join('\n'));
  const gateway = await startGateway(prepared, pino({ level: 'silent' }));
  const root = gateway.urls.xcap;
  return {
    root,
    send: sender(root),
    async close() {
      await gateway.close();
      await rm(dirname(file), { recursive: true, force: true });
    },
  };
}

/** How requests go out to an XCAP root. */
export function sender(root: string): XcapServer['send'] {
  return (method, path, { as = keeper, type, headers = {}, body } = {}) => {
    const fields = {
      ...(as === '' ? {} : { 'X-3GPP-Asserted-Identity': `"${as}"` }),
      ...(type === undefined ? {} : { 'Content-Type': type }),
      ...headers,
    };
    const octets = body === undefined ? undefined : Buffer.from(body).toString('latin1');
    return exchange(root, rawRequest(method, `${basePath}/${path}`, fields, octets));
  };
}

/** A gateway for all tests of a file. */
export function xcapServer(more: Readonly<Record<string, unknown>> = {}): XcapServer {
  let running: XcapServer | undefined;
  const started = (): XcapServer => {
    if (running === undefined) throw new Error('the gateway runs only while tests do');
    return running;
  };
  beforeAll(async () => {
    running = await startXcapServer(more);
  });
  afterAll(() => running?.close());
  return {
    get root() {
      return started().root;
    },
    send: (...request) => started().send(...request),
    close: () => started().close(),
  };
}

/** Path of a document of `keeper` below the XCAP root. */
export function own(auid: string, name = 'index'): string {
  return `${auid}/users/${keeper}/${name}`;
}

let numbered = 0;

/** Stores a document of the usage `plain` under a name of its own and gives its path and entity tag (quoted). */
export async function stored(
  server: XcapServer,
  document: string | Uint8Array,
  auid = plain,
  type = plainType,
): Promise<{ readonly path: string; readonly etag: string }> {
  const path = own(auid, `document-${++numbered}.xml`);
  const { status, headers, body } = await server.send('PUT', path, { type, body: document });
  if (status !== 201) throw new Error(`the document was not stored: ${status} ${body}`);
  return { path, etag: headers.etag ?? '' };
}

/** Text of the document at a path; undefined when there is none. */
export async function textOf(server: XcapServer, path: string): Promise<string | undefined> {
  const { status, body } = await server.send('GET', path);
  return status === 200 ? Buffer.from(body, 'latin1').toString() : undefined;
}
