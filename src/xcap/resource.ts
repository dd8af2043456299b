// What a request target names: the typed form of an XCAP URI. RFC 4825 clause 6; TS 24.481 for `byGroupID`.
import { groupsAuid } from '../documents/application-usage.ts';
import { documentName } from '../documents/document-key.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentKey } from '../store/store.ts';
import { type NamespaceBinding, parseNamespaceBindings } from '../xml/namespace-bindings.ts';
import { selectorNotUnderstood } from '../xml/node-selector.ts';

/** A node selector before its grammar is looked at: segments after `~~`, each decoded once, and the prefixes of the query. */
export interface NodeReference {
  readonly steps: readonly string[];
  readonly bindings: readonly NamespaceBinding[];
}

export type XcapResource =
  | { readonly resource: 'document'; readonly key: DocumentKey; readonly node?: NodeReference | undefined }
  /** `global/byGroupID/<group ID>`, the group ID in canonical form. */
  | { readonly resource: 'group'; readonly groupId: string; readonly node?: NodeReference | undefined };

/** An XCAP root URI taken apart. */
export interface XcapRoot {
  /** Lower-case host, with the port when it is not the scheme's own. */
  readonly authority: string;
  readonly segments: readonly string[];
}

/** Takes an XCAP root URI apart. Throws a TypeError when it is no URL. RFC 4825 clause 6.1. */
export function xcapRoot(uri: string): XcapRoot {
  const url = new URL(uri);
  return {
    authority: url.host.toLowerCase(),
    segments: splitPath(url.pathname.replace(/\/$/, '')).map((raw) => decoded(raw) ?? raw),
  };
}

/**
 * Parses a raw request target, in origin or absolute form. Throws `not-found` for what lies outside the root or names no resource,
 * `unknown-xui` for a XUI that is no URI, `bad-request` for a document selector and `selector-not-understood` for a node selector that
 * cannot be decoded.
 */
export function parseRequestTarget(target: string, root: XcapRoot): XcapResource {
  if (target.includes('#')) throw new Refusal('bad-request', { phrase: 'A request target has no fragment' });
  const question = target.indexOf('?');
  const path = originPath(question < 0 ? target : target.slice(0, question), root);
  const raw = splitPath(path);
  // RFC 4825 6: the first `~~` separates, whichever way it is spelt; later ones belong to the node selector
  const separator = raw.findIndex(isSeparator);
  const selector = (separator < 0 ? raw : raw.slice(0, separator)).map(decodeDocumentSegment);
  const document = parseDocumentSelector(belowRoot(selector, root));
  if (separator < 0) return document;
  // RFC 4825 6.4: what cannot be read as a pointer binds no prefix
  const query = question < 0 ? '' : (decoded(target.slice(question + 1)) ?? '');
  return {
    ...document,
    node: { steps: decodeSteps(raw.slice(separator + 1)), bindings: parseNamespaceBindings(query) },
  };
}

// RFC 9112 3.2.2: a server accepts the absolute form too. The scheme is not compared: a proxy in front may have ended TLS.
function originPath(path: string, root: XcapRoot): string {
  if (path.startsWith('/')) return path;
  const absolute = /^https?:\/\/([^/]+)(\/.*)$/is.exec(path);
  const [, authority = '', rest = ''] = absolute ?? [];
  if (absolute === null || withoutDefaultPort(authority) !== withoutDefaultPort(root.authority)) {
    throw new Refusal('not-found');
  }
  return rest;
}

function withoutDefaultPort(authority: string): string {
  return authority.toLowerCase().replace(/:(80|443)?$/, '');
}

function splitPath(path: string): readonly string[] {
  return path.length < 2 ? [] : path.slice(1).split('/');
}

function isSeparator(segment: string): boolean {
  return segment === '~~' || (segment.length <= 6 && segment.length > 2 && /^(?:~|%7e){2}$/i.test(segment));
}

/** One raw part of a target, decoded once as strict UTF-8 (RFC 4825 clause 6.3); undefined where that cannot be done. */
function decoded(part: string): string | undefined {
  const encoded = allEncoded(part);
  if (!encoded.includes('%')) return encoded;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

// Octets above ASCII should have been encoded; Node shows them as Latin-1 characters
function allEncoded(part: string): string {
  return /[\x80-\xff]/.test(part) ? part.replace(/[\x80-\xff]/g, escapeOctet) : part;
}

function escapeOctet(octet: string): string {
  return `%${octet.charCodeAt(0).toString(16)}`;
}

function decodeDocumentSegment(raw: string): string {
  const segment = decoded(raw);
  if (segment === '') throw new Refusal('not-found');
  if (segment === undefined) throw new Refusal('bad-request', { phrase: 'The path is not percent-encoded UTF-8' });
  // RFC 3986 6.2.2.3: dot segments are resolved by the client; here they could only be meant to mislead
  if (segment === '.' || segment === '..' || /\p{Cc}/u.test(segment)) {
    throw new Refusal('bad-request', { phrase: 'The request target has a segment that no document can have' });
  }
  return segment;
}

function decodeSteps(raw: readonly string[]): readonly string[] {
  const steps: string[] = [];
  for (const segment of raw) {
    const step = decoded(segment);
    if (step === undefined) throw undecodable(steps, allEncoded(segment));
    steps.push(step);
  }
  return steps;
}

// RFC 4825 6.3 and 8: an extension selector may have any octets; one that is no text is not understood like all others
function undecodable(before: readonly string[], segment: string): Refusal {
  const characters = /[^%]|%[0-7][0-9a-f]|%[cd][0-9a-f]%..|%e[0-9a-f](?:%..){2}|%f[0-9a-f](?:%..){3}/giy;
  let text = '';
  let end = 0;
  for (let found = characters.exec(segment); found !== null; found = characters.exec(segment)) {
    const character = decoded(found[0]);
    if (character === undefined) break;
    text += character;
    end = characters.lastIndex;
  }
  return selectorNotUnderstood([...before, text + segment.slice(end)], before.length, text.length);
}

function belowRoot(segments: readonly string[], root: XcapRoot): readonly string[] {
  if (!root.segments.every((segment, index) => segments[index] === segment)) throw new Refusal('not-found');
  return segments.slice(root.segments.length);
}

// RFC 4825 6.2: auid, tree, XUI in the users tree, any sub-directories, document name
function parseDocumentSelector(segments: readonly string[]): XcapResource {
  const [auid = '', tree, ...rest] = segments;
  if (tree === 'global') {
    if (auid === groupsAuid && isGroupDirectory(rest[0])) return parseGroup(rest.slice(1));
    return { resource: 'document', key: { auid, tree, xui: '', name: requiredName(rest) } };
  }
  if (tree !== 'users') throw new Refusal('not-found');
  const name = requiredName(rest.slice(1));
  const xui = canonicalUri(rest[0] ?? '');
  if (xui === undefined) throw new Refusal('unknown-xui');
  return { resource: 'document', key: { auid, tree, xui, name } };
}

// Clients in the field write byGroup
function isGroupDirectory(segment: string | undefined): boolean {
  return segment === 'byGroupID' || segment === 'byGroup';
}

function parseGroup(segments: readonly string[]): XcapResource {
  const groupId = segments.length === 1 ? canonicalUri(segments[0] ?? '') : undefined;
  if (groupId === undefined) throw new Refusal('not-found');
  return { resource: 'group', groupId };
}

function requiredName(segments: readonly string[]): string {
  if (segments.length === 0) throw new Refusal('not-found');
  return documentName(segments);
}
