// Bodies of element and attribute requests: one well-balanced element, or one quoted attribute value.
// RFC 4825 clauses 7.4, 7.7 and 8.2.2.

import { isUtf8 } from 'node:buffer';
import { Refusal, type RefusalCode } from '../refusals.ts';
import { decodeAttributeValue, escapeAttributeValue, isXmlCharacter, UndefinedReference } from './character-data.ts';
import { withDocument } from './libxml.ts';
import type { XmlLimits } from './limits.ts';
import { OffsetIndex } from './offset-index.ts';
import { NotScannable, XmlLimitExceeded } from './offset-scan.ts';
import { checkBytes } from './xml-document.ts';

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
const passedOn: ReadonlySet<RefusalCode> = new Set(['document-too-large', 'not-utf-8', 'not-xml-frag']);

/**
 * Reads the body of an element PUT: exactly one element, in which prefixes may be bound by the declarations in scope at its parent.
 * White space around it and an XML declaration are dropped. Throws Refusal `document-too-large`, `not-utf-8`, `not-xml-frag`.
 */
export function readElementFragment(
  body: Uint8Array,
  scope: ReadonlyMap<string, string>,
  limits: XmlLimits,
): ElementFragment {
  try {
    checkBytes(body, limits);
    const bytes = withoutSurroundings(body);
    const declarations = [...scope].map(
      ([prefix, uri]) => ` xmlns${prefix === '' ? '' : `:${prefix}`}="${escapeAttributeValue(uri)}"`,
    );
    const wrapped = Buffer.concat([
      Buffer.from(`<${wrapper}${declarations.join('')}>`),
      bytes,
      Buffer.from(`</${wrapper}>`),
    ]);
    withDocument(wrapped, () => undefined);
    // The document that the element joins is measured again; the wrapper must not count here.
    const index = OffsetIndex.of(wrapped, {
      ...limits,
      attributesPerElement: limits.attributesPerElement + scope.size,
      elementDepth: limits.elementDepth + 1,
      elements: limits.elements + 1,
    });
    const element = index.firstChild(index.root);
    const alone = element >= 0 && index.nextSibling(element) < 0;
    const whole =
      alone && index.outerStart(element) === index.openEnd(0) && index.outerEnd(element) === index.closeStart(0);
    if (!whole) throw new Refusal('not-xml-frag');
    return { bytes, index, namespace: index.namespace(element), localName: index.localName(element) };
  } catch (error) {
    if (error instanceof Refusal) {
      if (passedOn.has(error.code)) throw error;
      throw new Refusal('not-xml-frag', { cause: error.message });
    }
    if (error instanceof XmlLimitExceeded || error instanceof NotScannable || error instanceof UndefinedReference) {
      throw new Refusal('not-xml-frag', { cause: error.message });
    }
    throw error;
  }
}

function withoutSurroundings(body: Uint8Array): Uint8Array {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  const start = /^(?:\xef\xbb\xbf)?(?:<\?xml\s[^>]*\?>)?[ \t\r\n]*/.exec(text)?.[0].length ?? 0;
  let end = text.length;
  while (end > start && ' \t\r\n'.includes(text.charAt(end - 1))) end--;
  return body.subarray(start, end);
}

/** An attribute value with its quotes, as it is written into a start tag. */
export interface AttributeFragment {
  readonly quoted: string;
  readonly value: string;
}

/**
 * Reads the body of an attribute PUT: an AttValue, quotes included. White space around it is dropped. With `bareValues` a body without
 * quotes is accepted as if it had them. Throws Refusal `not-utf-8`, `not-xml-att-value`.
 */
export function readAttributeFragment(body: Uint8Array, bareValues = false): AttributeFragment {
  if (!isUtf8(body)) throw new Refusal('not-utf-8');
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8').trim();
  const quoted = bareValues && !/^["']/.test(text) ? withQuotes(text) : text;
  const inside = /^"([^<"]*)"$/.exec(quoted)?.[1] ?? /^'([^<']*)'$/.exec(quoted)?.[1];
  if (inside === undefined || !isAllowed(inside)) throw new Refusal('not-xml-att-value');
  try {
    return { quoted, value: decodeAttributeValue(inside) };
  } catch {
    throw new Refusal('not-xml-att-value');
  }
}

function withQuotes(text: string): string {
  return text.includes('"') ? `'${text}'` : `"${text}"`;
}

function isAllowed(text: string): boolean {
  for (const character of text) if (!isXmlCharacter(character.codePointAt(0) ?? 0)) return false;
  return true;
}
