// The child nodes of an element or of the document as XPath sees them: elements, texts, comments and processing instructions.
// Text is one node however it is written: character data, references and CDATA sections next to each other (XPath 1.0 5.7).

import { decodeText, normaliseLineEnds } from './character-data.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';

/** Stands for the document itself where an element is expected. */
export const documentNode: ElementId = -1;

/** A child node with the offsets of its markup. */
export type ChildNode =
  | { readonly kind: 'element'; readonly start: number; readonly end: number; readonly element: ElementId }
  | { readonly kind: 'text' | 'comment' | 'instruction'; readonly start: number; readonly end: number };

/** Kinds of nodes that are no element. */
export type PlainKind = 'text' | 'comment' | 'instruction';

/** Child nodes in document order. A document has no text nodes; its XML declaration is none either. */
export function childNodes(index: OffsetIndex, parent: ElementId): readonly ChildNode[] {
  const nodes: ChildNode[] = [];
  if (parent === documentNode) {
    addBetween(index, nodes, afterDeclaration(index), index.outerStart(index.root), false);
    nodes.push(elementNode(index, index.root));
    addBetween(index, nodes, index.outerEnd(index.root), index.bytes.length, false);
    return nodes;
  }
  let at = index.openEnd(parent);
  for (let child = index.firstChild(parent); child >= 0; child = index.nextSibling(child)) {
    addBetween(index, nodes, at, index.outerStart(child), true);
    nodes.push(elementNode(index, child));
    at = index.outerEnd(child);
  }
  addBetween(index, nodes, at, index.closeStart(parent), true);
  return nodes;
}

function elementNode(index: OffsetIndex, element: ElementId): ChildNode {
  return { kind: 'element', start: index.outerStart(element), end: index.outerEnd(element), element };
}

/** Offset of the first thing that may be a node: behind a byte order mark and the XML declaration. */
function afterDeclaration(index: OffsetIndex): number {
  const head = index.source(0, Math.min(8, index.bytes.length)).replace(/^\ufeff/, '');
  return /^<\?xml[ \t\r\n]/.test(head) ? bufferOf(index).indexOf('?>', 0, 'latin1') + 2 : 0;
}

function bufferOf({ bytes }: OffsetIndex): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Adds what stands between two elements. */
function addBetween(index: OffsetIndex, nodes: ChildNode[], from: number, end: number, withText: boolean): void {
  if (from >= end) return;
  const { bytes } = index;
  const buffer = bufferOf(index);
  let textStart = from;
  const endText = (at: number): void => {
    const text: ChildNode = { kind: 'text', start: textStart, end: at };
    // XPath 1.0 5.7: a text node has at least one character; an empty CDATA section alone makes none.
    if (withText && at > textStart && (bytes[textStart] !== 0x3c || textValue(index, text) !== '')) nodes.push(text);
  };
  for (let at = from; at < end; ) {
    const mark = bytes[at] === 0x3c ? at : buffer.indexOf(0x3c, at);
    if (mark < 0 || mark >= end) break;
    if (bytes[mark + 1] === 0x21 && bytes[mark + 2] === 0x5b) {
      at = buffer.indexOf(']]>', mark + 9, 'latin1') + 3;
      continue;
    }
    endText(mark);
    const comment = bytes[mark + 1] === 0x21;
    at = comment ? buffer.indexOf('-->', mark + 4, 'latin1') + 3 : buffer.indexOf('?>', mark + 2, 'latin1') + 2;
    nodes.push({ kind: comment ? 'comment' : 'instruction', start: mark, end: at });
    textStart = at;
  }
  endText(end);
}

/** The value of a text node, decoded. Throws UndefinedReference. */
export function textValue(index: OffsetIndex, node: ChildNode): string {
  const raw = index.source(node.start, node.end);
  if (!raw.includes('<')) return decodeText(raw);
  let value = '';
  let at = 0;
  for (let mark = raw.indexOf('<'); mark >= 0; mark = raw.indexOf('<', at)) {
    const close = raw.indexOf(']]>', mark);
    value += decodeText(raw.slice(at, mark)) + normaliseLineEnds(raw.slice(mark + 9, close));
    at = close + 3;
  }
  return value + decodeText(raw.slice(at));
}

/** Whether a node is a text of white space only, by what its bytes stand for. */
export function isWhiteSpaceText(index: OffsetIndex, node: ChildNode | undefined): boolean {
  return node?.kind === 'text' && /^[ \t\r\n]+$/.test(textValue(index, node));
}

/** Target of a processing instruction. */
export function instructionTarget(index: OffsetIndex, node: ChildNode): string {
  return /^<\?([^ \t\r\n?]+)/.exec(index.source(node.start, node.end))?.[1] ?? '';
}

/** What canonical form keeps of a comment or processing instruction (Canonical XML 1.0 2.3): of white space behind the target, one space. */
export function plainContent(index: OffsetIndex, node: ChildNode): string {
  const raw = normaliseLineEnds(index.source(node.start, node.end));
  if (node.kind === 'comment') return raw;
  const target = instructionTarget(index, node);
  return `${target} ${raw.slice(target.length + 2, -2).replace(/^[ \t\n]+/, '')}`;
}

/** Whether the string value of an element (all text below it) is this one; looks no further than needed. */
export function stringValueIs(index: OffsetIndex, element: ElementId, value: string): boolean {
  const { bytes } = index;
  const buffer = bufferOf(index);
  const end = index.closeStart(element);
  let seen = 0;
  let next = element + 1;
  const matches = (part: string): boolean => {
    if (!value.startsWith(part, seen)) return false;
    seen += part.length;
    return true;
  };
  for (let at = index.openEnd(element); at < end; ) {
    if (bytes[at] !== 0x3c) {
      const found = buffer.indexOf(0x3c, at);
      const stop = found < 0 ? end : Math.min(found, end);
      if (!matches(decodeText(index.source(at, stop)))) return false;
      at = stop;
    } else if (next < index.count && at === index.outerStart(next)) at = index.openEnd(next++);
    else if (bytes[at + 1] === 0x2f) at = buffer.indexOf(0x3e, at) + 1;
    else if (bytes[at + 1] === 0x3f) at = buffer.indexOf('?>', at + 2, 'latin1') + 2;
    else if (bytes[at + 2] === 0x2d) at = buffer.indexOf('-->', at + 4, 'latin1') + 3;
    else {
      const close = buffer.indexOf(']]>', at + 9, 'latin1');
      if (!matches(normaliseLineEnds(index.source(at + 9, close)))) return false;
      at = close + 3;
    }
  }
  return seen === value.length;
}
