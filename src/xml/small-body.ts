// Reads the small bodies that others send: resource lists, service information with an access token, group management operations.
// libxml2 judges them first; fast-xml-parser then gives a tree, in which names are resolved and values decoded here, because it does neither.

import { XMLParser } from 'fast-xml-parser';
import { Refusal } from '../refusals.ts';
import { decodeAttributeValue, decodeText, normaliseLineEnds } from './character-data.ts';
import type { XmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import { readXml } from './xml-document.ts';

/** One element of a small body; `attributes` are those in no namespace, `text` is its own character data. */
export interface SmallElement {
  readonly namespace: string;
  readonly localName: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly SmallElement[];
  readonly text: string;
}

// Values stay text: by default 007 would become 7 and +4612345678 a number. References are decoded here, once.
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: false,
  cdataPropName: '#cdata',
  ignoreDeclaration: true,
  ignorePiTags: true,
});

type ParsedNode = Readonly<Record<string, unknown>>;
type Scope = ReadonlyMap<string, string>;

/** Reads a body as a tree. Throws Refusal as readXml does, and `bad-request` for names that the tree cannot hold. */
export function readSmallBody(bytes: Uint8Array, limits: XmlLimits): SmallElement {
  readXml(bytes, limits);
  const nodes = parse(bytes);
  const root = nodes.find((node) => elementName(node) !== undefined);
  if (root === undefined) throw new Refusal('bad-request', { cause: 'fast-xml-parser found no element' });
  return elementOf(root, new Map([['xml', namespaces.xml]]));
}

function parse(bytes: Uint8Array): readonly ParsedNode[] {
  try {
    return parser.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (error) {
    throw new Refusal('bad-request', { cause: error instanceof Error ? error.message : String(error) });
  }
}

function elementName(node: ParsedNode): string | undefined {
  return Object.keys(node).find((key) => key !== ':@' && !key.startsWith('#'));
}

function elementOf(node: ParsedNode, outer: Scope): SmallElement {
  const name = elementName(node) ?? '';
  const raw = Object.entries((node[':@'] ?? {}) as Readonly<Record<string, string>>);
  const attributes = raw.map(([key, value]) => [key, decodeAttributeValue(value)] as const);
  const scope = scopeOf(attributes, outer);
  const children: SmallElement[] = [];
  let text = '';
  for (const child of node[name] as readonly ParsedNode[]) {
    if (typeof child['#text'] === 'string') text += decodeText(child['#text']);
    else if (child['#cdata'] !== undefined) text += cdata(child['#cdata'] as readonly ParsedNode[]);
    else children.push(elementOf(child, scope));
  }
  const colon = name.indexOf(':');
  return {
    namespace: scope.get(name.slice(0, Math.max(colon, 0))) ?? '',
    localName: name.slice(colon + 1),
    attributes: new Map(attributes.filter(([key]) => key !== 'xmlns' && !key.includes(':'))),
    children,
    text,
  };
}

function scopeOf(attributes: readonly (readonly [string, string])[], outer: Scope): Scope {
  const declared = attributes.filter(([key]) => key === 'xmlns' || key.startsWith('xmlns:'));
  if (declared.length === 0) return outer;
  return new Map([...outer, ...declared.map(([key, uri]) => [key.slice(6), uri] as const)]);
}

function cdata(nodes: readonly ParsedNode[]): string {
  return nodes.map((node) => normaliseLineEnds(String(node['#text'] ?? ''))).join('');
}

function childNamed(element: SmallElement | undefined, namespace: string, localName: string): SmallElement | undefined {
  return element?.children.find((child) => child.localName === localName && child.namespace === namespace);
}

/**
 * `uri` of every `entry` of a resource list, at any depth, in document order; everything else is ignored (RFC 5875 4.4).
 * Throws Refusal as readSmallBody, and `bad-request` when the document is none.
 */
export function readResourceList(bytes: Uint8Array, limits: XmlLimits): readonly string[] {
  const root = readSmallBody(bytes, limits);
  expectRoot(root, namespaces.resourceLists, 'resource-lists');
  const uris: string[] = [];
  const walk = (element: SmallElement): void => {
    if (element.namespace === namespaces.resourceLists && element.localName === 'entry') {
      const uri = element.attributes.get('uri');
      if (uri !== undefined) uris.push(uri.trim());
    }
    for (const child of element.children) walk(child);
  };
  walk(root);
  return uris;
}

/** The three kinds of service information, TS 24.379 F.1, TS 24.281 F.1, TS 24.282 D.1. */
const informationNamespaces = {
  mcptt: namespaces.mcpttInfo,
  mcvideo: namespaces.mcvideoInfo,
  mcdata: namespaces.mcdataInfo,
} as const;

/**
 * The access token inside service information (`mcpttinfo`, `mcvideoinfo`, `mcdatainfo`); undefined without one, or when it is encrypted.
 * Throws Refusal as readSmallBody, and `bad-request` when the document is none of the three.
 */
export function readAccessToken(bytes: Uint8Array, limits: XmlLimits): string | undefined {
  const root = readSmallBody(bytes, limits);
  for (const [service, namespace] of Object.entries(informationNamespaces)) {
    if (root.namespace !== namespace || root.localName !== `${service}info`) continue;
    const parameters = childNamed(root, namespace, `${service}-Params`);
    const token = childNamed(parameters, namespace, `${service}-access-token`);
    if (token === undefined || token.attributes.get('type') === 'Encrypted') return undefined;
    const value = childNamed(token, namespace, `${service}String`)?.text.trim();
    return value === '' ? undefined : value;
  }
  throw new Refusal('bad-request', { phrase: 'The body is no service information document' });
}

/**
 * Name of the requested group management operation (TS 24.481): local name of the child of `request`; undefined for an operation of another
 * namespace. Throws Refusal as readSmallBody, and `bad-request` when the document is no GMOP document or requests no operation.
 */
export function readGmopOperation(bytes: Uint8Array, limits: XmlLimits): string | undefined {
  const root = readSmallBody(bytes, limits);
  expectRoot(root, namespaces.gmop, 'document');
  const operation = childNamed(root, namespaces.gmop, 'request')?.children[0];
  if (operation === undefined) throw new Refusal('bad-request', { phrase: 'The body requests no operation' });
  return operation.namespace === namespaces.gmop ? operation.localName : undefined;
}

function expectRoot(root: SmallElement, namespace: string, localName: string): void {
  if (root.namespace !== namespace || root.localName !== localName) {
    throw new Refusal('bad-request', { phrase: `The body is no ${localName} document` });
  }
}
