// The body of a SUBSCRIBE: the resource list that names what is watched and the access token that names who asks
// (RFC 5875 clause 4.4, TS 24.481 clause 6.3.13.2.1).
import { LRUCache } from 'lru-cache';
import { Refusal } from '../refusals.ts';
import type { XmlLimits } from '../xml/limits.ts';
import { namespaces } from '../xml/names.ts';
import { readResourceList, readSmallBody, type SmallElement } from '../xml/small-body.ts';
import { bodyParts, isPlain } from './body-parts.ts';
import { parseParameterised, tokenList } from './headers.ts';

export const resourceListsType = 'application/resource-lists+xml';

/** Media types accepted in a SUBSCRIBE, for the Accept field of 415 and of OPTIONS. */
export const acceptedBodyTypes = [
  resourceListsType,
  'multipart/mixed',
  'application/vnd.3gpp.mcptt-info+xml',
  'application/vnd.3gpp.mcvideo-info+xml',
  'application/vnd.3gpp.mcdata-info+xml',
] as const;

/** The service information documents that carry an access token, by media type (TS 24.379, TS 24.281, TS 24.282 annexes F and D). */
const infoNamespaces = new Map<string, string>([
  ['application/vnd.3gpp.mcptt-info+xml', namespaces.mcpttInfo],
  ['application/vnd.3gpp.mcvideo-info+xml', namespaces.mcvideoInfo],
  ['application/vnd.3gpp.mcdata-info+xml', namespaces.mcdataInfo],
]);

/** What a SUBSCRIBE carries. */
export interface SubscriptionBody {
  /** `uri` of each entry, in order; absent = the body has no resource list. */
  readonly entries?: readonly string[] | undefined;
  readonly accessToken?: string | undefined;
}

/** A body with the header fields that describe it; absent fields are undefined. */
export interface DescribedBody {
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly text: string;
}

/** Lists read lately: refreshes repeat them, and the members of a group send the same. */
const knownLists = new LRUCache<string, readonly string[]>({ max: 200 });
/** Characters. */
const longestKnownList = 8_192;

// A list of the most entries allowed stays far below these.
const bodyLimits: XmlLimits = {
  documentBytes: 512 * 1024,
  elementDepth: 32,
  elements: 20_000,
  attributesPerElement: 32,
  nameLength: 256,
  namespacesInScope: 32,
};

/**
 * Reads the body of a SUBSCRIBE; an empty one gives an empty answer.
 * @param mostEntries entries accepted in one list
 * Throws Refusal `unsupported-media-type`, `bad-request`, `document-too-large`, `credentials-refused` (a token that cannot be read).
 */
export function readSubscriptionBody(body: DescribedBody, mostEntries: number): SubscriptionBody {
  if (body.text.trim() === '') return {};
  if (tokenList(body.contentEncoding).some((coding) => coding !== 'identity')) {
    throw new Refusal('unsupported-media-type', {
      accept: acceptedBodyTypes,
      phrase: 'Content codings are not accepted',
    });
  }
  const type = body.contentType === undefined ? undefined : parseParameterised(body.contentType);
  if (type === undefined) throw unsupported();
  if (type.value.toLowerCase() !== 'multipart/mixed') return readPart(type.value, body.text, mostEntries);

  const parts = bodyParts(type, body.text);
  if (parts === undefined) throw new Refusal('bad-request', { phrase: 'The multipart body is broken' });
  let entries: readonly string[] | undefined;
  let accessToken: string | undefined;
  for (const part of parts) {
    if (!isKnown(part.type)) continue;
    if (!isPlain(part)) throw unsupported();
    const read = readPart(part.type, part.body, mostEntries);
    if ((read.entries && entries) || (read.accessToken && accessToken)) {
      throw new Refusal('bad-request', { phrase: 'The body has two parts of one kind' });
    }
    entries ??= read.entries;
    accessToken ??= read.accessToken;
  }
  if (entries === undefined && accessToken === undefined) throw unsupported();
  return { entries, accessToken };
}

function unsupported(): Refusal {
  return new Refusal('unsupported-media-type', { accept: acceptedBodyTypes });
}

function isKnown(type: string): boolean {
  return type === resourceListsType || infoNamespaces.has(type);
}

function readPart(mediaType: string, text: string, mostEntries: number): SubscriptionBody {
  const type = mediaType.toLowerCase();
  const bytes = Buffer.from(text, 'utf8');
  if (type === resourceListsType) {
    const entries = knownLists.get(text) ?? asRequest(() => readResourceList(bytes, bodyLimits));
    if (entries.length > mostEntries) {
      throw new Refusal('document-too-large', { phrase: `The list has more than ${mostEntries} entries` });
    }
    if (text.length <= longestKnownList) knownLists.set(text, entries);
    return { entries };
  }
  const namespace = infoNamespaces.get(type);
  if (namespace === undefined) throw unsupported();
  return {
    accessToken: accessTokenOf(
      asRequest(() => readSmallBody(bytes, bodyLimits)),
      namespace,
    ),
  };
}

/** 409 with an xcap-error body belongs to XCAP; here a broken document makes the request a bad one. */
function asRequest<Read>(read: () => Read): Read {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Refusal) || error.row.status !== 409) throw error;
    throw new Refusal('bad-request', { phrase: error.phrase, cause: error.detail.cause });
  }
}

/** TS 24.379 F.1: `mcptt-access-token` holds a `mcpttString`, or `xenc:EncryptedData`, which nobody can read here. */
function accessTokenOf(root: SmallElement, namespace: string): string | undefined {
  const parameters = root.children.filter((child) => child.namespace === namespace);
  const holder = parameters
    .flatMap((child) => child.children)
    .find((child) => child.namespace === namespace && child.localName.endsWith('-access-token'));
  if (holder === undefined) return undefined;
  const [value] = holder.children;
  const readable = value === undefined || /^mc(ptt|video|data)String$/.test(value.localName);
  const token = (value ?? holder).text.trim();
  if (token === '' || !readable) throw new Refusal('credentials-refused', { cause: 'access token cannot be read' });
  return token;
}
