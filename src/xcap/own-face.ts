// The XCAP face for our own clients (CSC-2) and MC service servers (CSC-3): which method does what to which resource.
// Order of checks as RFC 4825 clause 8 has it: resource, caller, method, parent, precondition, media type, body.
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { type ApplicationUsage, groupsAuid } from '../documents/application-usage.ts';
import { groupKey } from '../documents/document-key.ts';
import type { Documents, NodeAddress, ServedDocument } from '../documents/documents.ts';
import type { RefusedRequest } from '../documents/refusal-notes.ts';
import type { OwnCredentials } from '../identity/authenticate.ts';
import { type Principal, principalName } from '../identity/principal.ts';
import type { OwnFacing } from '../interconnect/ports.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentKey } from '../store/store.ts';
import { bindSelector, type NodeSelector, parseNodeSelector } from '../xml/node-selector.ts';
import { type Answer, emptyAnswer } from './answer.ts';
import { readBody, requirePutType } from './body.ts';
import { preconditionsOf, quotedTag } from './entity-tags.ts';
import type { Exchange } from './exchange.ts';
import { answerOperation } from './group-operations.ts';
import {
  type AnswerFacts,
  defaultLimits,
  type FaceLimits,
  type FaceLog,
  type HttpListener,
  type ListenOptions,
  startHttpListener,
} from './http-listener.ts';
import { answerNode } from './node-resources.ts';
import { peerIdentities } from './peer-certificate.ts';
import { contentAnswer } from './read-answer.ts';
import { everyValue, headerValues } from './request-headers.ts';
import { parseRequestTarget, type XcapResource, xcapRoot } from './resource.ts';

export interface XcapFaceOptions {
  readonly listen: ListenOptions;
  /** XCAP root URI as clients see it. */
  readonly root: string;
  readonly documents: Documents;
  readonly groups: Pick<OwnFacing, 'group'>;
  /** From credentials to a principal; throws the Refusal. */
  readonly authenticate: (credentials: OwnCredentials) => Principal | Promise<Principal>;
  /** True when this canonical XUI may have documents here; the answer is remembered. */
  readonly knowsXui: (xui: string) => boolean;
  readonly limits?: Partial<FaceLimits> | undefined;
  readonly log: FaceLog;
  readonly onAnswer?: ((facts: AnswerFacts) => void) | undefined;
  /** Hears what a known caller was refused: writes, and whatever it has no right to. */
  readonly onRefusal?: ((principal: Principal, request: RefusedRequest, refusal: Refusal) => void) | undefined;
}

/** Starts the face. `url` of the result is the bound origin, without the root's path. */
export async function startXcapFace(options: XcapFaceOptions): Promise<HttpListener> {
  const root = xcapRoot(options.root);
  const limits = { ...defaultLimits, ...options.limits };
  const face = { ...options, limits };
  const known = new LRUCache<string, Addressed>({
    maxSize: addressMemory,
    sizeCalculation: (_, target) => target.length + 200,
  });
  const addressed = (target: string): Addressed => {
    const before = known.get(target);
    if (before !== undefined) return before;
    const resource = parseRequestTarget(target, root);
    const usage = requireKnown(resource, face);
    const node = nodeAddress(resource);
    const found = { resource, usage, node, bound: node && boundOnce(node, usage) };
    known.set(target, found);
    return found;
  };

  const asksForCertificates = options.listen.tls?.clientCa !== undefined;

  return startHttpListener({
    listen: options.listen,
    limits,
    strangers: 'no handshake',
    log: options.log,
    onAnswer: options.onAnswer,
    async handle(exchange) {
      const { request } = exchange;
      // RFC 9110 9.3.7: `*` asks about the server as a whole
      if (request.url === '*' && request.method === 'OPTIONS') return emptyAnswer(200, allowHeader(documentMethods));
      const { resource, usage, node, bound } = addressed(request.url ?? '');
      const principal = await options.authenticate(credentialsOf(request, asksForCertificates));
      try {
        return await answerTo(face, exchange, principal, { resource, usage, node, bound });
      } catch (error) {
        const { method = '', url: target = '' } = request;
        const isNoted = error instanceof Refusal && (writing.has(method) || error.code === 'forbidden');
        if (isNoted) options.onRefusal?.(principal, { method, target }, error);
        throw error instanceof Refusal ? withAbsoluteAncestor(error, options.root) : error;
      }
    },
  });
}

const writing: ReadonlySet<string> = new Set(['PUT', 'DELETE', 'POST']);

function answerTo(
  face: Face,
  exchange: Exchange,
  principal: Principal,
  { resource, usage, node, bound }: Addressed,
): Promise<Answer> {
  if (node !== undefined && bound !== undefined) {
    return answerNodeOf(face, exchange, principal, { resource, usage, node, bound });
  }
  return resource.resource === 'group'
    ? answerGroup(face, exchange, principal, resource.groupId, usage)
    : answerDocument(face, exchange, principal, resource.key, usage);
}

/** A resource that request targets lead to, with its application usage. */
interface Addressed {
  readonly resource: XcapResource;
  readonly usage: ApplicationUsage;
  /** Undefined for a whole document. */
  readonly node: NodeAddress | undefined;
  /** The node selector with its prefixes bound, made once. Throws the Refusal `unbound-prefix`. */
  readonly bound: (() => NodeSelector) | undefined;
}

/** A resource that is a node. */
type AddressedNode = Addressed & { readonly node: NodeAddress; readonly bound: () => NodeSelector };

/** Bound of the memory for request targets that have been parsed, roughly characters. */
const addressMemory = 1_000_000;

type Face = XcapFaceOptions & { readonly limits: FaceLimits };

const groupMethods = ['GET', 'HEAD', 'POST', 'OPTIONS'];
const readMethods = ['GET', 'HEAD', 'OPTIONS'];
const documentMethods = ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'];

// RFC 4825 8: what is not served at all is 404 before anybody is asked who he is
function requireKnown(resource: XcapResource, { documents, knowsXui }: Face): ApplicationUsage {
  const auid = resource.resource === 'group' ? groupsAuid : resource.key.auid;
  const usage = documents.usage(auid);
  if (usage === undefined) throw new Refusal('unknown-application-usage');
  if (resource.resource === 'document' && resource.key.tree === 'users' && !knowsXui(resource.key.xui)) {
    throw new Refusal('unknown-xui');
  }
  return usage;
}

// RFC 4825 8: so is a selector that is not understood
function nodeAddress({ node }: XcapResource): NodeAddress | undefined {
  return node && { selector: parseNodeSelector(node.steps), bindings: node.bindings };
}

function boundOnce({ selector, bindings }: NodeAddress, usage: ApplicationUsage): () => NodeSelector {
  let bound: NodeSelector | undefined;
  return () => {
    bound ??= bindSelector(selector, { defaultNamespace: usage.defaultDocumentNamespace, bindings });
    return bound;
  };
}

function credentialsOf(request: IncomingMessage, asksForCertificates: boolean): OwnCredentials {
  const { headers, method = '', url = '' } = request;
  return {
    method,
    requestTarget: url,
    authorization: headers.authorization === undefined ? undefined : everyValue(request, 'authorization'),
    xAssertedIdentity: headerValues(headers['x-3gpp-asserted-identity']),
    pAssertedIdentity: headerValues(headers['p-asserted-identity']),
    peerAddress: request.socket.remoteAddress,
    certificate: asksForCertificates ? peerIdentities(request.socket) : undefined,
  };
}

// TS 24.481: a group by its ID is read here; it is written in its owner's tree, or by its home GMS on the interconnect face
async function answerGroup(
  face: Face,
  exchange: Exchange,
  principal: Principal,
  groupId: string,
  usage: ApplicationUsage,
): Promise<Answer> {
  const { request } = exchange;
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return contentAnswer(request, await readGroup(face, principal, groupId), usage.mimeType);
    case 'POST':
      return answerOperation(
        exchange,
        principalName(principal),
        () => readGroup(face, principal, groupId),
        usage.mimeType,
      );
    case 'OPTIONS':
      return emptyAnswer(200, allowHeader(groupMethods));
    default:
      throw notAllowed(groupMethods);
  }
}

// A group is named by an ID that anybody can guess: who may not read it is told no more than that there is none for him
async function readGroup({ groups }: Face, principal: Principal, groupId: string): Promise<ServedDocument> {
  try {
    return await groups.group(principal, groupId);
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'forbidden') throw error;
    throw new Refusal('not-found', { cause: 'the caller may not read this group' });
  }
}

function answerNodeOf(
  face: Face,
  exchange: Exchange,
  principal: Principal,
  { resource, usage, node, bound }: AddressedNode,
): Promise<Answer> {
  const { documents, limits } = face;
  const about = { exchange, principal, node, bound, documents, bodyBytes: limits.documentBytes };
  // TS 24.481: nodes of a group are written in its owner's tree
  if (resource.resource === 'group') {
    const read = (): Promise<ServedDocument> => readGroup(face, principal, resource.groupId);
    // those of another system's group by our administrators, into an overlay on the copy that is served here
    const isLocalEdit = principal.role === 'administrator' && !face.knowsXui(resource.groupId);
    return answerNode({ ...about, read, writable: isLocalEdit ? groupKey(resource.groupId) : undefined });
  }
  const { key } = resource;
  const read = (): Promise<ServedDocument> => documents.read(principal, key);
  const writable = isReadOnly(key, usage) ? undefined : key;
  return answerNode({ ...about, read, writable, mayAsk: () => mayAsk(read) });
}

// RFC 4825 8: who may not read a document is told so before its methods are looked at, whether it is there or not
async function mayAsk(read: () => Promise<ServedDocument>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'not-found') throw error;
  }
}

// RFC 4825 11.1: the URI of the closest ancestor is given in full, so that nobody needs to know what it is relative to
function withAbsoluteAncestor(refusal: Refusal, root: string): Refusal {
  const { ancestor } = refusal.detail;
  if (ancestor === undefined) return refusal;
  return new Refusal(refusal.code, { ...refusal.detail, ancestor: `${root.replace(/\/$/, '')}/${ancestor}` });
}

function isReadOnly(key: DocumentKey, usage: ApplicationUsage): boolean {
  return usage.composed || (usage.auid === groupsAuid && key.tree === 'global');
}

async function answerDocument(
  face: Face,
  exchange: Exchange,
  principal: Principal,
  key: DocumentKey,
  usage: ApplicationUsage,
): Promise<Answer> {
  const { request } = exchange;
  const methods = isReadOnly(key, usage) ? readMethods : documentMethods;
  if (!methods.includes(request.method ?? '')) {
    await mayAsk(() => face.documents.read(principal, key));
    throw notAllowed(methods);
  }
  switch (request.method) {
    case 'PUT':
      return putDocument(face, exchange, principal, key, usage);
    case 'DELETE':
      await face.documents.delete(principal, key, preconditionsOf(request.headers));
      return emptyAnswer(200);
    case 'OPTIONS':
      return emptyAnswer(200, allowHeader(methods));
    default:
      return contentAnswer(request, await face.documents.read(principal, key), usage.mimeType);
  }
}

async function putDocument(
  { documents, limits }: Face,
  exchange: Exchange,
  principal: Principal,
  key: DocumentKey,
  usage: ApplicationUsage,
): Promise<Answer> {
  const { request } = exchange;
  const body = async (): Promise<Uint8Array> => {
    requirePutType(request, usage.mimeType);
    return readBody(exchange, principalName(principal), limits.documentBytes);
  };
  const { created, tag } = await documents.put(principal, key, body, preconditionsOf(request.headers));
  // RFC 4825 8.2.7: the 200 carries no content, and both carry the tag
  return emptyAnswer(created ? 201 : 200, ['ETag', quotedTag(tag)]);
}

function allowHeader(methods: readonly string[]): readonly string[] {
  return ['Allow', methods.join(', ')];
}

function notAllowed(methods: readonly string[]): Refusal {
  return new Refusal('method-not-allowed', { allow: methods });
}
