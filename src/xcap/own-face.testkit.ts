// A running own face over documents in memory, for wire tests.
import { authenticator } from '../identity/authenticate.ts';
import type { AuthorizationSchemes } from '../identity/authorization.ts';
import { servedUsers } from '../identity/served.ts';
import type { DocumentKey } from '../store/store.ts';
import { type MemoryDocuments, memoryDocuments } from './documents.testkit.ts';
import type { AnswerFacts, FaceLimits, HttpListener, TlsMaterial } from './http-listener.ts';
import { startXcapFace } from './own-face.ts';
import { exchange, keptLog, rawRequest, type WireAnswer } from './wire.testkit.ts';

export const ines = 'sip:ines@blue.example';
export const groupType = 'application/vnd.oma.poc.groups+xml';
export const listType = 'application/resource-lists+xml';
export const listKey: DocumentKey = { auid: 'resource-lists', tree: 'users', xui: ines, name: 'index' };
export const listPath = `/xcap-root/resource-lists/users/${ines}/index`;
export const harbourKey: DocumentKey = {
  auid: 'org.openmobilealliance.groups',
  tree: 'users',
  xui: 'sip:groups@blue.example',
  name: 'harbour.xml',
};
export const groupsPath = '/xcap-root/org.openmobilealliance.groups/global';

export interface RunningFace extends MemoryDocuments, HttpListener {
  readonly log: ReturnType<typeof keptLog>;
  readonly answers: AnswerFacts[];
  /** One request by `ines` on a connection of its own. */
  send(method: string, target: string, headers?: Readonly<Record<string, string>>, body?: string): Promise<WireAnswer>;
}

/** Starts a face whose proxies are all on loopback. */
export async function runningFace(
  limits: Partial<FaceLimits> = {},
  identity: { trustedProxies?: string[]; missingCredentials?: 401 | 403 } = {},
  tls?: TlsMaterial,
  schemes: AuthorizationSchemes = {},
): Promise<RunningFace> {
  const memory = memoryDocuments();
  const log = keptLog();
  const answers: AnswerFacts[] = [];
  const authenticate = authenticator({
    system: { servers: ['sip:mcptt@blue.example'], administrators: [{ id: 'sip:admin@blue.example' }] },
    identity: { trustedProxies: ['127.0.0.1'], missingCredentials: 403, ...identity },
    schemes,
    partners: [],
  });
  const face = await startXcapFace({
    listen: { host: '127.0.0.1', port: 0, tls },
    root: 'http://gms.blue.example/xcap-root',
    documents: memory.documents,
    groups: memory.groups,
    authenticate: authenticate.own,
    knowsXui: servedUsers({ domains: ['blue.example'], servedUsers: [], awayUsers: [] }).isHomed,
    limits,
    log,
    onAnswer: (facts) => answers.push(facts),
  });
  return {
    ...memory,
    ...face,
    log,
    answers,
    send: (method, target, headers = {}, body) =>
      exchange(face.url, rawRequest(method, target, { 'X-3GPP-Asserted-Identity': `"${ines}"`, ...headers }, body)),
  };
}
