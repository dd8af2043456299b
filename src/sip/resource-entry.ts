// What one entry of a subscription's resource list names: an XCAP URI, read once, as a resource or a collection
// (RFC 5875 clause 4.4, RFC 4825 clause 6, TS 24.481 clause 7.2.10).
import { LRUCache } from 'lru-cache';
import { groupsAuid } from '../documents/application-usage.ts';
import { documentName, nameSegments } from '../documents/document-key.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentKey } from '../store/store.ts';
import { type NamespaceBinding, parseNamespaceBindings } from '../xml/namespace-bindings.ts';
import { type ParsedSelector, parseNodeSelector } from '../xml/node-selector.ts';

/** A document named by its place, or a group named by its ID: what an entity tag is told of. */
export type Resource =
  | { readonly kind: 'document'; readonly key: DocumentKey }
  | { readonly kind: 'group'; readonly groupId: string };

/** An entry that names exactly one document. */
export interface DocumentEntry {
  readonly kind: 'resource';
  /** What `sel` in a NOTIFY repeats. */
  readonly sel: string;
  readonly resource: Resource;
  /** Key under which changes find the entry; equal for all spellings of one address. */
  readonly watch: string;
}

/** An entry that names everything below a path (RFC 5875 clause 4.1); `sel` ends with a slash. */
export interface CollectionEntry {
  readonly kind: 'collection';
  readonly sel: string;
  readonly watch: string;
  readonly auid: string;
  /** Absent = both trees. */
  readonly tree?: 'users' | 'global' | undefined;
  /** Canonical; absent = every user of the tree. */
  readonly xui?: string | undefined;
  /** Directories below the XUI or below `global` as names of documents have them, each ended with a slash. */
  readonly directory: string;
}

/** An element or attribute of a document (RFC 5875 clause 4.1). */
export interface ComponentEntry {
  readonly kind: 'component';
  readonly sel: string;
  readonly resource: Resource;
  /** Key under which changes of the document find the entry. */
  readonly watch: string;
  readonly node: WatchedNode;
}

/** What is meant of a document; prefixes are bound when the default namespace of its usage is known. */
export interface WatchedNode {
  readonly selector: ParsedSelector;
  readonly bindings: readonly NamespaceBinding[];
}

export type ResourceEntry = DocumentEntry | CollectionEntry | ComponentEntry;

/** Longest `uri` accepted in an entry, characters. */
const longestUri = 4096;

/** Entries read lately, so that many subscriptions to one resource share one entry. */
const knownEntries = new LRUCache<string, ResourceEntry>({ max: 20_000 });

/** As `readEntry`; equal entries are the same object. */
export function parseEntry(uri: string, xcapRoot: string): ResourceEntry | undefined {
  if (uri.length > longestUri) return undefined;
  const key = `${xcapRoot} ${uri}`;
  const known = knownEntries.get(key);
  if (known !== undefined) return known;
  const entry = readEntry(uri, xcapRoot);
  if (entry !== undefined) knownEntries.set(key, entry);
  return entry;
}

/**
 * Reads the `uri` of an entry.
 * @param xcapRoot root of the face that the subscriber uses, ending with a slash
 * @returns undefined for a foreign root and for what breaks the grammar of RFC 4825 clause 6
 */
function readEntry(uri: string, xcapRoot: string): ResourceEntry | undefined {
  if (uri === '' || hasControlCharacter(uri) || /[\s<>"#]/.test(uri)) return undefined;
  const sel = relativeTo(uri, xcapRoot);
  if (sel === undefined || sel === '') return undefined;

  const question = sel.indexOf('?');
  const path = question < 0 ? sel : sel.slice(0, question);
  const segments: string[] = [];
  // RFC 4825 6.2: split first, then decode each segment once
  const written = path.split('/');
  for (const [place, segment] of written.entries()) {
    const decoded = decodeSegment(segment);
    if (decoded === undefined) return undefined;
    // RFC 4825 6: the first segment that reads `~~` separates document and node selector
    if (decoded === '~~') {
      const query = question < 0 ? '' : sel.slice(question + 1);
      return component(sel, segments, written.slice(place + 1), query);
    }
    segments.push(decoded);
  }
  if (question >= 0) return undefined;
  const isCollection = segments.at(-1) === '';
  if (isCollection) segments.pop();
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) return undefined;
  if (isCollection) return collection(sel, segments);
  const resource = resourceOf(segments);
  return resource === undefined ? undefined : { kind: 'resource', sel, resource, watch: watchKey(resource) };
}

function component(
  sel: string,
  segments: readonly string[],
  steps: readonly string[],
  query: string,
): ComponentEntry | undefined {
  if (steps.length === 0 || segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return undefined;
  }
  const resource = resourceOf(segments);
  const node = resource === undefined ? undefined : watchedNode(steps, query);
  if (resource === undefined || node === undefined) return undefined;
  return { kind: 'component', sel, resource, watch: nodesKey(watchKey(resource)), node };
}

function watchedNode(steps: readonly string[], query: string): WatchedNode | undefined {
  try {
    const selector = parseNodeSelector(steps.map((step) => decodeURIComponent(step)));
    // RFC 5875 4.1: namespace nodes cannot be subscribed to
    if (selector.terminal?.kind === 'namespaces') return undefined;
    return { selector, bindings: parseNamespaceBindings(decodeURIComponent(query)) };
  } catch (error) {
    if (error instanceof Refusal || error instanceof URIError) return undefined;
    throw error;
  }
}

function collection(sel: string, segments: readonly string[]): CollectionEntry | undefined {
  const [auid, tree, ...below] = segments;
  if (auid === undefined) return undefined;
  if (tree === undefined) return { kind: 'collection', sel, watch: collectionKey([auid]), auid, directory: '' };
  if (tree === 'users') {
    const [written, ...inside] = below;
    const directories = inside.map((directory) => documentName([directory]));
    const xui = written === undefined ? undefined : (canonicalUri(written) ?? written);
    const place = xui === undefined ? [auid, tree] : [auid, tree, xui, ...directories];
    return {
      kind: 'collection',
      sel,
      watch: collectionKey(place),
      auid,
      tree,
      xui,
      directory: directoryOf(directories),
    };
  }
  if (tree !== 'global') return undefined;
  const named = below.map((directory) => documentName([directory]));
  const directories = isByGroup(auid, below) ? ['byGroupID', ...named.slice(1)] : named;
  const watch = collectionKey([auid, tree, ...directories]);
  return { kind: 'collection', sel, watch, auid, tree, directory: directoryOf(directories) };
}

function resourceOf(segments: readonly string[]): Resource | undefined {
  const [auid, tree, ...below] = segments;
  if (auid === undefined || below.length === 0) return undefined;
  if (tree === 'users') {
    const [xui = '', ...name] = below;
    if (name.length === 0) return undefined;
    return { kind: 'document', key: { auid, tree, xui: canonicalUri(xui) ?? xui, name: documentName(name) } };
  }
  if (tree !== 'global') return undefined;
  if (isByGroup(auid, below)) {
    const groupId = below.length === 2 ? canonicalUri(below[1] ?? '') : undefined;
    return groupId === undefined ? undefined : { kind: 'group', groupId };
  }
  return { kind: 'document', key: { auid, tree, xui: '', name: documentName(below) } };
}

// Deployed clients subscribe to `byGroup`; TS 24.481 7.2.10.2 has `byGroupID`.
function isByGroup(auid: string, below: readonly string[]): boolean {
  return auid === groupsAuid && (below[0] === 'byGroupID' || below[0] === 'byGroup');
}

function directoryOf(directories: readonly string[]): string {
  return directories.map((directory) => `${directory}/`).join('');
}

/** The part behind the XCAP root, without a leading slash; undefined when the URI is below another root. */
function relativeTo(uri: string, xcapRoot: string): string | undefined {
  const authority = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]*/.exec(uri)?.[0];
  const rootAuthority = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]*/.exec(xcapRoot)?.[0] ?? '';
  const rootPath = xcapRoot.slice(rootAuthority.length);
  if (authority !== undefined) {
    if (normalAuthority(authority) !== normalAuthority(rootAuthority)) return undefined;
    const path = uri.slice(authority.length);
    return path.startsWith(rootPath) ? path.slice(rootPath.length) : undefined;
  }
  // RFC 3986 4.2: a leading slash means the authority's root; clients also write it for the XCAP root.
  if (uri.startsWith(rootPath)) return uri.slice(rootPath.length);
  return uri.replace(/^\/+/, '');
}

/** RFC 3986 6.2.2.1, 6.2.3: case does not matter here, nor a port that the scheme has anyway. */
function normalAuthority(written: string): string {
  const authority = written.toLowerCase();
  return authority.replace(authority.startsWith('https:') ? /:(443)?$/ : /:(80)?$/, '');
}

function decodeSegment(segment: string): string | undefined {
  if (!segment.includes('%')) return segment;
  try {
    const decoded = decodeURIComponent(segment);
    return hasControlCharacter(decoded) ? undefined : decoded;
  } catch {
    return undefined;
  }
}

// A line feed also separates the parts of watch keys.
function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 32 || code === 127) return true;
  }
  return false;
}

/** The key under which changes of a resource find the entries that name it. */
export function watchKey(resource: Resource): string {
  if (resource.kind === 'group') return `group ${resource.groupId}`;
  const { auid, tree, xui, name } = resource.key;
  return `document ${[auid, tree, xui, name].join('\n')}`;
}

/** The key under which changes of a resource find the entries that name something inside it. */
export function nodesKey(watch: string): string {
  return `nodes of ${watch}`;
}

/** The key under which what was told of a component is kept. */
export function componentKey({ sel }: ComponentEntry): string {
  return `node ${sel}`;
}

/** The resource of a watch key; undefined for other texts. */
export function resourceOfWatch(watch: string): Resource | undefined {
  if (watch.startsWith('group ')) return { kind: 'group', groupId: watch.slice(6) };
  const [auid, tree, xui, name] = watch.startsWith('document ') ? watch.slice(9).split('\n') : [];
  if (auid === undefined || xui === undefined || name === undefined) return undefined;
  return tree === 'users' || tree === 'global' ? { kind: 'document', key: { auid, tree, xui, name } } : undefined;
}

/** Whether a resource may be found below a collection. */
export function isBelow(collection: CollectionEntry, resource: Resource): boolean {
  if (resource.kind === 'document') return collectionsOf(resource.key).includes(collection.watch);
  return [[groupsAuid], [groupsAuid, 'global'], [groupsAuid, 'global', 'byGroupID']].some(
    (place) => collectionKey(place) === collection.watch,
  );
}

function collectionKey(place: readonly string[]): string {
  return `below ${place.join('\n')}`;
}

/** A document of which something changed, seen as the resources and collections that it belongs to. */
export interface Addresses {
  readonly resource: Resource;
  readonly watch: string;
  /** Watch keys of the collections that hold the resource. */
  readonly collections: readonly string[];
}

/**
 * The addresses of a document: its place, and for a group its ID, which have the same entity tag (TS 24.481 clause 7.2.10.2).
 * A foreign group is found by its ID alone.
 */
export function addressesOf(key: DocumentKey, groupId: string | undefined): readonly Addresses[] {
  const addresses: Addresses[] = [];
  const foreign = key.tree === 'global' && groupId !== undefined;
  if (!foreign) {
    const resource: Resource = { kind: 'document', key };
    addresses.push({ resource, watch: watchKey(resource), collections: collectionsOf(key) });
  }
  if (groupId !== undefined) {
    const resource: Resource = { kind: 'group', groupId };
    const collections = [collectionKey([key.auid, 'global']), collectionKey([key.auid, 'global', 'byGroupID'])];
    // A home group is in its user's directory already; listing it a second time below the AUID would say nothing new.
    if (foreign) collections.push(collectionKey([key.auid]));
    addresses.push({ resource, watch: watchKey(resource), collections });
  }
  return addresses;
}

function collectionsOf(key: DocumentKey): readonly string[] {
  const place = key.tree === 'users' ? [key.auid, key.tree, key.xui] : [key.auid, key.tree];
  const directories = key.name.split('/').slice(0, -1);
  const keys: string[] = [];
  for (let length = 1; length <= place.length; length++) keys.push(collectionKey(place.slice(0, length)));
  for (let length = 1; length <= directories.length; length++) {
    keys.push(collectionKey([...place, ...directories.slice(0, length)]));
  }
  return keys;
}

/** `sel` of a resource found below a collection: what was subscribed, followed by the rest of the path. */
export function selBelow(collection: CollectionEntry, resource: Resource): string {
  const segments: string[] =
    resource.kind === 'group'
      ? ['global', 'byGroupID', resource.groupId]
      : resource.key.tree === 'users'
        ? ['users', resource.key.xui, ...nameSegments(resource.key.name)]
        : ['global', ...nameSegments(resource.key.name)];
  const depth = (collection.tree === undefined ? 0 : 1) + (collection.xui === undefined ? 0 : 1);
  const directories = collection.directory === '' ? 0 : collection.directory.split('/').length - 1;
  return (
    collection.sel +
    segments
      .slice(depth + directories)
      .map(encodeSegment)
      .join('/')
  );
}

/** Percent-encodes what may not stand in a path segment (RFC 3986 clause 3.3); `:` and `@` may. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(/%(3A|40|24|26|2B|2C|3B|3D)/g, (escaped) => decodeURIComponent(escaped));
}
