// The XCAP face for partner systems (CSC-16): groups by their ID and our capabilities, to known certificates only.
// Everything else looks the same whether it exists or not: 404 to reads, 403 to writes.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import {
  type ApplicationUsage,
  builtInUsages,
  capabilitiesAuid,
  directoryAuid,
  groupsAuid,
} from '../documents/application-usage.ts';
import { entityTag } from '../documents/entity-tag.ts';
import type { PartnerCredentials } from '../identity/authenticate.ts';
import type { CertificateFacts } from '../identity/certificates.ts';
import type { PartnerPrincipal } from '../identity/principal.ts';
import { canonicalUri } from '../identity/uri.ts';
import type { PartnerAdmission, PartnerCopies, PartnerFacing } from '../interconnect/ports.ts';
import { Refusal, type RefusalCode } from '../refusals.ts';
import { composeXcapCaps } from '../xml/compose.ts';
import { composingDirectory } from '../xml/group-directory.ts';
import { inTurns } from '../xml/turns.ts';
import { type Answer, emptyAnswer } from './answer.ts';
import { readBody, requirePutType } from './body.ts';
import type { EdgeProxies } from './conveyed-certificate.ts';
import { preconditionsOf, quotedTag } from './entity-tags.ts';
import type { Exchange } from './exchange.ts';
import { parseHttpDate } from './http-date.ts';
import {
  type AnswerFacts,
  defaultLimits,
  type FaceLimits,
  type FaceLog,
  type HttpListener,
  type ListenOptions,
  startHttpListener,
} from './http-listener.ts';
import { peerCertificate, peerCertificateFault } from './peer-certificate.ts';
import { type Content, contentAnswer } from './read-answer.ts';
import { headerValues } from './request-headers.ts';
import { parseRequestTarget, type XcapRoot, xcapRoot } from './resource.ts';

export interface InterconnectFaceOptions {
  /** Without TLS nobody can be recognised, and everybody is refused. */
  readonly listen: ListenOptions;
  /** XCAP root URI as partners see it. */
  readonly root: string;
  readonly groups: Omit<PartnerFacing, 'groupsForPartner'> & Partial<PartnerCopies & PartnerAdmission>;
  /** From certificate and asserted identity to a partner; throws the Refusal. */
  readonly authenticate: (credentials: PartnerCredentials) => PartnerPrincipal | Promise<PartnerPrincipal>;
  /** Our own proxies that may convey a partner's certificate, asked for at each request; absent = none may. */
  readonly edge?: (() => EdgeProxies) | undefined;
  readonly limits?: Partial<FaceLimits> | undefined;
  readonly log: FaceLog;
  readonly onAnswer?: ((facts: AnswerFacts) => void) | undefined;
}

/** Starts the face. `url` of the result is the bound origin, without the root's path. */
export async function startInterconnectFace(options: InterconnectFaceOptions): Promise<HttpListener> {
  const root = xcapRoot(options.root);
  const limits = { ...defaultLimits, ...options.limits };
  const connections = new PartnerConnections(options.groups);
  const capabilities = partnerCapabilities(options.groups.directoryForPartner !== undefined);

  return startHttpListener({
    listen: options.listen,
    limits,
    // Known or not, everybody without the right certificate gets the same 403
    strangers: 'handler',
    log: options.log,
    onAnswer: options.onAnswer,
    async handle(exchange) {
      const { request } = exchange;
      const from = await options.authenticate(credentialsOf(request, options.edge?.()));
      connections.admit(exchange, from);
      const end = options.groups.admitRequest?.(from);
      try {
        return await answered(exchange, from);
      } finally {
        end?.();
      }
    },
  });

  async function answered(exchange: Exchange, from: PartnerPrincipal): Promise<Answer> {
    const { request } = exchange;
    const resource = offered(request, root);
    if (resource.offered === 'capabilities') return contentAnswer(request, capabilities, capabilitiesUsage.mimeType);
    if (resource.offered === 'directory') {
      const directory = await readDirectory(options.groups, from, resource.xui, options.root);
      return contentAnswer(request, directory, directoryUsage.mimeType);
    }
    switch (request.method) {
      case 'PUT':
        return acceptProvision(options.groups, exchange, from, resource.groupId, limits);
      case 'DELETE':
        await options.groups.acceptWithdrawal(
          from,
          resource.groupId,
          preconditionsOf(request.headers),
          sentAt(request),
        );
        return emptyAnswer(200);
      default:
        return contentAnswer(request, await readGroup(options.groups, from, resource.groupId), groupsUsage.mimeType);
    }
  }
}

/** Counts the connections of each partner, once it is known whose they are. */
class PartnerConnections {
  readonly #admission: Partial<PartnerAdmission>;
  readonly #known = new WeakSet<Socket>();
  readonly #open = new Map<string, number>();

  constructor(admission: Partial<PartnerAdmission>) {
    this.#admission = admission;
  }

  /** Throws `unavailable` for one connection too many, which ends after the answer. */
  admit({ request: { socket }, response }: Exchange, from: PartnerPrincipal): void {
    // Behind an edge proxy a connection is the proxy's, whoever sends on it.
    if (this.#known.has(socket)) return;
    const open = this.#open.get(from.partner) ?? 0;
    try {
      this.#admission.admitConnection?.(from, open);
    } catch (error) {
      response.shouldKeepAlive = false;
      throw error;
    }
    this.#known.add(socket);
    this.#open.set(from.partner, open + 1);
    socket.once('close', () => this.#left(from.partner));
  }

  #left(partner: string): void {
    const open = (this.#open.get(partner) ?? 1) - 1;
    if (open === 0) this.#open.delete(partner);
    else this.#open.set(partner, open);
  }
}

const groupsUsage = builtInUsage(groupsAuid);
const capabilitiesUsage = builtInUsage(capabilitiesAuid);
const directoryUsage = builtInUsage(directoryAuid);

type Offered =
  | { readonly offered: 'group'; readonly groupId: string }
  /** What this face can do, RFC 4825 clause 12. */
  | { readonly offered: 'capabilities' }
  /** What the partner may read, OMA XDM; the XUI is its public service identity. */
  | { readonly offered: 'directory'; readonly xui: string };

// What partners may address; the rest of our documents is none of their business
function offered(request: IncomingMessage, root: XcapRoot): Offered {
  const { method, url = '' } = request;
  const reads = method === 'GET' || method === 'HEAD';
  try {
    const resource = parseRequestTarget(url, root);
    if (resource.node === undefined && (reads || method === 'PUT' || method === 'DELETE')) {
      if (resource.resource === 'group') return { offered: 'group', groupId: resource.groupId };
      const { auid, tree, xui, name } = resource.key;
      if (reads && auid === capabilitiesAuid && tree === 'global' && name === 'index')
        return { offered: 'capabilities' };
      if (reads && auid === directoryAuid && tree === 'users' && name === 'directory.xml')
        return { offered: 'directory', xui };
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
  throw new Refusal(reads ? 'not-found' : 'forbidden', { cause: 'a partner asked for what this face does not offer' });
}

async function acceptProvision(
  groups: InterconnectFaceOptions['groups'],
  exchange: Exchange,
  from: PartnerPrincipal,
  groupId: string,
  limits: FaceLimits,
): Promise<Answer> {
  const preconditions = preconditionsOf(exchange.request.headers);
  // Outside the agreement every write is answered alike, so nothing of the request is judged before
  const body = async (): Promise<Uint8Array> => {
    requirePutType(exchange.request, groupsUsage.mimeType);
    return readBody(exchange, from.partner, limits.documentBytes);
  };
  const { created, tag } = await groups.acceptProvision(from, groupId, body, preconditions, sentAt(exchange.request));
  return emptyAnswer(created ? 201 : 200, ['ETag', quotedTag(tag)]);
}

// RFC 9110 6.6.1: when the message was originated
function sentAt({ headers }: IncomingMessage): string | undefined {
  const time = parseHttpDate(headers.date?.trim() ?? '', Date.now());
  return time === undefined ? undefined : new Date(time).toISOString();
}

/** What is told inside the patterns of the agreement: the partner keeps what it holds, which a 404 would make it remove. */
const toldInside: ReadonlySet<RefusalCode> = new Set(['agreement-not-active', 'forbidden', 'group-not-homed-here']);

// Whatever else keeps a group from a partner, a read says only that it is not there
async function readGroup(
  groups: InterconnectFaceOptions['groups'],
  from: PartnerPrincipal,
  groupId: string,
): Promise<Content> {
  try {
    const copy = await groups.copyForPartner?.(from, groupId);
    return copy ?? (await groups.groupForPartner(from, groupId));
  } catch (error) {
    if (!(error instanceof Refusal) || toldInside.has(error.code)) throw error;
    if (error.row.status >= 400 && error.row.status < 500) {
      throw new Refusal('not-found', { cause: error.detail.cause ?? error.code });
    }
    throw error;
  }
}

// OMA XDM: the directory of a user is that user's alone
async function readDirectory(
  groups: InterconnectFaceOptions['groups'],
  from: PartnerPrincipal,
  xui: string,
  root: string,
): Promise<Content> {
  if (groups.directoryForPartner === undefined || canonicalUri(xui) !== canonicalUri(from.identity)) {
    throw new Refusal('not-found', { cause: 'a directory of somebody else' });
  }
  const below = root.endsWith('/') ? root : `${root}/`;
  const lines = (await groups.directoryForPartner(from)).map(({ groupId, tag }) => ({
    uri: `${below}${groupsAuid}/global/byGroupID/${encodeURIComponent(groupId)}`,
    tag,
  }));
  const bytes = Buffer.from(await inTurns(composingDirectory(groupsAuid, lines)));
  return { tag: entityTag(bytes), bytes };
}

function credentialsOf(request: IncomingMessage, edge: EdgeProxies | undefined): PartnerCredentials {
  const { headers } = request;
  return {
    authorization: headers.authorization,
    xAssertedIdentity: headerValues(headers['x-3gpp-asserted-identity']),
    pAssertedIdentity: headerValues(headers['p-asserted-identity']),
    certificate: certificateOf(request, edge),
    certificateFault: isEdge(request, edge) ? undefined : peerCertificateFault(request.socket),
  };
}

// RFC 9440 4: from anybody but an edge proxy the fields are an attempt, and an edge proxy's own certificate says nothing about a partner
function certificateOf(request: IncomingMessage, edge: EdgeProxies | undefined): CertificateFacts | undefined {
  const { headers, socket } = request;
  const fields = {
    clientCert: headerValues(headers['client-cert']),
    clientCertChain: headerValues(headers['client-cert-chain']),
  };
  if (edge !== undefined && isEdge(request, edge)) return edge.certificate(fields);
  if (fields.clientCert !== undefined || fields.clientCertChain !== undefined) {
    throw new Refusal('credentials-refused', {
      cause: `Client-Cert from ${socket.remoteAddress}, which is no edge proxy`,
    });
  }
  return peerCertificate(socket);
}

function isEdge({ socket }: IncomingMessage, edge: EdgeProxies | undefined): boolean {
  return edge?.isEdge(socket.remoteAddress) === true;
}

function partnerCapabilities(withDirectory: boolean): Content {
  const usages = [groupsUsage, capabilitiesUsage, ...(withDirectory ? [directoryUsage] : [])];
  const auids = usages.map((usage) => usage.auid);
  const bytes = Buffer.from(composeXcapCaps({ auids, namespaces: usages.flatMap((usage) => usage.namespaces) }));
  return { tag: entityTag(bytes), bytes };
}

function builtInUsage(auid: string): ApplicationUsage {
  const usage = builtInUsages.find((one) => one.auid === auid);
  if (usage === undefined) throw new Error(`the application usage ${auid} is not built in`);
  return usage;
}
