// Bodies of element and attribute requests: one well-balanced element, or one quoted attribute value.
// RFC 4825 clauses 7.4, 7.7 and 8.2.2.

import { isUtf8 } from 'node:buffer';
import { Refusal, type RefusalCode } from '../refusals.ts';
import { beginsWide, decodeAttributeValue, escapeAttributeValue, UndefinedReference } from './character-data.ts';
import { withDocument } from './libxml.ts';
import type { XmlLimits } from './limits.ts';
import { OffsetIndex } from './offset-index.ts';
import { isSpace, NotScannable, type OffsetScan, XmlLimitExceeded } from './offset-scan.ts';
import { checkEncoding } from './xml-document.ts';

/** An element to put into a document: its bytes, and its name where it will stand. */
export interface ElementFragment {
  readonly bytes: Uint8Array;
  /** The element as number 1, below a stand-in for its parent. */
  readonly index: OffsetIndex;
  readonly namespace: string;
  readonly localName: string;
}

const wrapper = 'parent';
/** Refusals that mean the same for a fragment as for a document. */
const passedOn: ReadonlySet<RefusalCode> = new Set([
  'document-too-large',
  'not-utf-8',
  'not-xml-frag',
  'constraint-failure',
  'unavailable',
]);

/** Bodies of nodes above this size are read by another thread, bytes. */
export const largeBody = 32 * 1024;

/** Parses bytes on another thread and resolves with their offsets. Rejects with the refusals of `readXml`. */
export type ScanElsewhere = (bytes: Uint8Array, limits: XmlLimits) => Promise<OffsetScan>;

/**
 * Reads the body of an element PUT: exactly one element, in which prefixes may be bound by the declarations in scope at its parent.
 * White space around it and an XML declaration are dropped. Throws Refusal `document-too-large`, `not-utf-8`, `not-xml-frag`, and
 * `constraint-failure` for an element that exceeds a limit.
 */
export function readElementFragment(
  body: Uint8Array,
  scope: ReadonlyMap<string, string>,
  limits: XmlLimits,
): ElementFragment {
  try {
    const bytes = elementBytes(body, limits);
    const wrapped = wrap(bytes, scope);
    withDocument(wrapped, () => undefined);
    return onlyElement(bytes, OffsetIndex.of(wrapped, wrapperLimits(limits, scope)));
  } catch (error) {
    throw fragmentRefusal(error);
  }
}

/** The same for a large body, without holding up this thread. */
export async function readLargeElementFragment(
  body: Uint8Array,
  scope: ReadonlyMap<string, string>,
  limits: XmlLimits,
  scan: ScanElsewhere,
): Promise<ElementFragment> {
  try {
    const bytes = elementBytes(body, limits);
    const wrapped = wrap(bytes, scope);
    const within = { ...wrapperLimits(limits, scope), documentBytes: wrapped.byteLength };
    return onlyElement(bytes, OffsetIndex.ofScan(wrapped, await scan(wrapped, within)));
  } catch (error) {
    throw fragmentRefusal(error);
  }
}

/** What can be judged of a body without a parser, and the element in it as far as that. */
function elementBytes(body: Uint8Array, limits: XmlLimits): Uint8Array {
  if (body.byteLength > limits.documentBytes) throw new Refusal('document-too-large');
  checkEncoding(body);
  return withoutSurroundings(body);
}

function wrap(bytes: Uint8Array, scope: ReadonlyMap<string, string>): Buffer {
  const declarations = [...scope].map(
    ([prefix, uri]) => ` xmlns${prefix === '' ? '' : `:${prefix}`}="${escapeAttributeValue(uri)}"`,
  );
  return Buffer.concat([Buffer.from(`<${wrapper}${declarations.join('')}>`), bytes, Buffer.from(`</${wrapper}>`)]);
}

// The document that the element joins is measured again; the wrapper must not count here.
function wrapperLimits(limits: XmlLimits, scope: ReadonlyMap<string, string>): XmlLimits {
  return {
    ...limits,
    rootAttributes: scope.size,
    elementDepth: limits.elementDepth + 1,
    elements: limits.elements + 1,
  };
}

function onlyElement(bytes: Uint8Array, index: OffsetIndex): ElementFragment {
  const element = index.firstChild(index.root);
  const alone = element >= 0 && index.nextSibling(element) < 0;
  const whole =
    alone && index.outerStart(element) === index.openEnd(0) && index.outerEnd(element) === index.closeStart(0);
  if (!whole) throw new Refusal('not-xml-frag');
  return { bytes, index, namespace: index.namespace(element), localName: index.localName(element) };
}

function fragmentRefusal(error: unknown): unknown {
  if (error instanceof Refusal) {
    return passedOn.has(error.code)
      ? error
      : new Refusal('not-xml-frag', { phrase: toldOf(error), cause: error.message });
  }
  // What exceeds a limit is a fragment all the same; whole documents are refused in this way too
  if (error instanceof XmlLimitExceeded) return new Refusal('constraint-failure', { phrase: error.message });
  if (error instanceof NotScannable || error instanceof UndefinedReference) {
    return new Refusal('not-xml-frag', { cause: error.message });
  }
  return error;
}

// What the parser says helps, unless it speaks of the wrapper, of which nobody knows
function toldOf({ detail: { phrase } }: Refusal): string | undefined {
  return phrase === undefined || new RegExp(`\\b${wrapper}\\b`).test(phrase) ? undefined : phrase;
}

function withoutSurroundings(body: Uint8Array): Uint8Array {
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  let start = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
  if (buffer.toString('latin1', start, start + 5) === '<?xml' && isSpace(body[start + 5])) {
    const end = buffer.indexOf('?>', start);
    if (end > 0 && !buffer.subarray(start + 5, end).includes('>')) start = end + 2;
  }
  let end = body.length;
  while (start < end && isSpace(body[start])) start++;
  while (end > start && isSpace(body[end - 1])) end--;
  return body.subarray(start, end);
}

/** An attribute value with its quotes, as it is written into a start tag. */
export interface AttributeFragment {
  readonly quoted: Uint8Array;
}

/**
 * Reads the body of an attribute PUT: an AttValue, quotes included. White space around it is dropped. With `bareValues` a body without
 * quotes is accepted as if it had them. Throws Refusal `not-utf-8`, `not-xml-att-value`.
 */
export function readAttributeFragment(body: Uint8Array, bareValues = false): AttributeFragment {
  const quoted = quotedValue(body, bareValues);
  try {
    decodeAttributeValue(quoted.toString('utf8', 1, quoted.length - 1));
    return { quoted };
  } catch {
    throw new Refusal('not-xml-att-value');
  }
}

/** The same for a large body: its references are judged by another thread. Rejects also with Refusal `unavailable`. */
export async function readLargeAttributeFragment(
  body: Uint8Array,
  bareValues: boolean | undefined,
  limits: XmlLimits,
  scan: ScanElsewhere,
): Promise<AttributeFragment> {
  const quoted = quotedValue(body, bareValues);
  const wrapped = Buffer.concat([Buffer.from(`<${wrapper} value=`), quoted, Buffer.from('/>')]);
  try {
    await scan(wrapped, { ...limits, documentBytes: wrapped.byteLength });
    return { quoted };
  } catch (error) {
    if (!(error instanceof Refusal) || error.code === 'unavailable') throw error;
    throw new Refusal('not-xml-att-value', { cause: error.message });
  }
}

/** The body with its quotes, in which nothing stands but characters of XML and references not yet looked at. */
function quotedValue(body: Uint8Array, bareValues = false): Buffer {
  // NUL is UTF-8, so it is the form that is wrong, unless it belongs to another encoding
  if (!isUtf8(body) || beginsWide(body)) throw new Refusal('not-utf-8');
  const trimmed = withoutSpace(body);
  const first = trimmed[0];
  const quoted = bareValues && first !== 0x22 && first !== 0x27 ? withQuotes(trimmed) : trimmed;
  const quote = quoted[0];
  const delimited = quoted.length >= 2 && (quote === 0x22 || quote === 0x27);
  if (!delimited || quoted.indexOf(quote, 1) !== quoted.length - 1) throw new Refusal('not-xml-att-value');
  if (quoted.includes('<') || hasForbidden(quoted)) throw new Refusal('not-xml-att-value');
  return quoted;
}

function withoutSpace(body: Uint8Array): Buffer {
  let start = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
  let end = body.length;
  while (start < end && isSpace(body[start])) start++;
  while (end > start && isSpace(body[end - 1])) end--;
  return Buffer.from(body.buffer, body.byteOffset + start, end - start);
}

function withQuotes(value: Buffer): Buffer {
  const quote = Buffer.from(value.includes('"') ? "'" : '"');
  return Buffer.concat([quote, value, quote]);
}

// XML 1.0 production 2; what is UTF-8 has no surrogates
function hasForbidden(octets: Buffer): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f]/.test(octets.toString('latin1'))) return true;
  return octets.includes('\ufffe') || octets.includes('\uffff');
}
