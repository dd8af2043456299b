// Elements, attributes and namespace bindings of documents, RFC 4825 clauses 7.4 to 7.10 and 10: what each method does to them.
import type { Documents, NodeAddress, ServedDocument } from '../documents/documents.ts';
import { type Principal, principalName } from '../identity/principal.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentKey } from '../store/store.ts';
import { type FetchedNode, fetchingNode } from '../xml/node-edit.ts';
import type { NodeSelector } from '../xml/node-selector.ts';
import { inTurns } from '../xml/turns.ts';
import { type Answer, emptyAnswer } from './answer.ts';
import { readBody, requirePutType } from './body.ts';
import { preconditionsOf, quotedTag } from './entity-tags.ts';
import type { Exchange } from './exchange.ts';
import { contentAnswer } from './read-answer.ts';

/** A request for a node, and the document that it is about. */
export interface NodeRequest {
  readonly exchange: Exchange;
  readonly principal: Principal;
  readonly node: NodeAddress;
  /** The node selector with its prefixes bound. Throws the Refusal `unbound-prefix`. */
  readonly bound: () => NodeSelector;
  /** The document as the principal may see it, so that no selector leads to what its view leaves out. Throws a Refusal. */
  readonly read: () => Promise<ServedDocument>;
  /** Throws the Refusal `forbidden` for a principal that may not read the document; absent = nobody is told that. */
  readonly mayAsk?: (() => Promise<void>) | undefined;
  /** Where nodes of the document are written; undefined when they are for reading only. */
  readonly writable: DocumentKey | undefined;
  readonly documents: Pick<Documents, 'putNode' | 'deleteNode'>;
  /** Largest body, octets. */
  readonly bodyBytes: number;
}

const readMethods = ['GET', 'HEAD', 'OPTIONS'];
const writeMethods = ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'];

/** Media types of nodes, RFC 4825 clauses 15.2.2 to 15.2.4. */
const mediaTypes: Readonly<Record<FetchedNode['kind'], string>> = {
  element: 'application/xcap-el+xml',
  attribute: 'application/xcap-att+xml',
  namespaces: 'application/xcap-ns+xml',
};

/** Answers a request for a node. Throws the Refusal of the first broken rule, in the order of RFC 4825 clauses 8 to 8.4. */
export async function answerNode(request: NodeRequest): Promise<Answer> {
  const { method = '' } = request.exchange.request;
  const kind = request.node.selector.terminal?.kind ?? 'element';
  const methods = request.writable === undefined || kind === 'namespaces' ? readMethods : writeMethods;
  switch (method) {
    case 'GET':
    case 'HEAD':
      return readNode(request);
    case 'OPTIONS':
      request.bound();
      return emptyAnswer(200, ['Allow', methods.join(', ')]);
    case 'PUT':
      if (request.writable !== undefined) return putNode(request, request.writable);
      break;
    case 'DELETE':
      if (request.writable !== undefined) return deleteNode(request, request.writable);
      break;
  }
  // RFC 4825 8: rights, then prefixes, then what depends on the method
  await request.mayAsk?.();
  request.bound();
  throw new Refusal('method-not-allowed', { allow: methods });
}

async function readNode(request: NodeRequest): Promise<Answer> {
  const document = await readDocument(request);
  const node = await inTurns(fetchingNode(document.index, request.bound()));
  if (node === undefined) throw new Refusal('not-found');
  // RFC 4825 8.5: all nodes have the tag of their document
  const { kind, body } = node;
  return contentAnswer(request.exchange.request, { tag: document.tag, bytes: body }, mediaTypes[kind]);
}

// RFC 4825 8: a prefix that is not bound is told before a document that is not there
async function readDocument(request: NodeRequest): Promise<ServedDocument> {
  try {
    return await request.read();
  } catch (error) {
    if (error instanceof Refusal && error.code === 'not-found') request.bound();
    throw error;
  }
}

async function putNode({ exchange, ...about }: NodeRequest, key: DocumentKey): Promise<Answer> {
  const { request } = exchange;
  const kind = about.node.selector.terminal?.kind ?? 'element';
  const body = async (): Promise<Uint8Array> => {
    requirePutType(request, mediaTypes[kind]);
    return readBody(exchange, principalName(about.principal), about.bodyBytes);
  };
  const preconditions = preconditionsOf(request.headers);
  const { created, tag } = await about.documents.putNode(about.principal, key, about.node, body, preconditions);
  // RFC 4825 8.2.7: the 200 carries no content, and both carry the tag
  return emptyAnswer(created ? 201 : 200, ['ETag', quotedTag(tag)]);
}

async function deleteNode({ exchange, principal, node, documents }: NodeRequest, key: DocumentKey): Promise<Answer> {
  const tag = await documents.deleteNode(principal, key, node, preconditionsOf(exchange.request.headers));
  // RFC 4825 8.5: the tag is that of the document which remains
  return emptyAnswer(200, ['ETag', quotedTag(tag)]);
}
