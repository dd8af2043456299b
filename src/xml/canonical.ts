// Compares two documents by their canonical form with comments, which RFC 5261 3 makes the measure of equality.
// Nothing is serialised: equal bytes in equal surroundings are skipped, the rest is compared node by node, in linear time.

import { type ChildNode, childNodes, documentNode, plainContent, textValue } from './child-nodes.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';

/** Whether two documents have the same Canonical XML 1.0 form with comments. */
export function sameCanonicalForm(one: OffsetIndex, other: OffsetIndex): boolean {
  if (sameBytes(one, 0, one.bytes.length, other, 0, other.bytes.length)) return true;
  const pending: [ElementId, ElementId][] = [[documentNode, documentNode]];
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    const [left, right] = pair;
    if (left !== documentNode && !sameStartTag(one, left, other, right)) return false;
    const nodes = childNodes(one, left);
    const others = childNodes(other, right);
    if (nodes.length !== others.length) return false;
    for (const [number, node] of nodes.entries()) {
      const counterpart = others[number];
      if (counterpart === undefined || counterpart.kind !== node.kind) return false;
      if (sameNodeBytes(one, node, other, counterpart)) continue;
      if (node.kind === 'element' && counterpart.kind === 'element') pending.push([node.element, counterpart.element]);
      else if (contentOf(one, node) !== contentOf(other, counterpart)) return false;
    }
  }
  return true;
}

/** Whether two stretches of bytes are equal. */
export function sameBytes(
  one: OffsetIndex,
  start: number,
  end: number,
  other: OffsetIndex,
  otherStart: number,
  otherEnd: number,
): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  return buffer(one.bytes).compare(other.bytes, otherStart, otherEnd, start, end) === 0;
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whether two nodes are written alike; where the namespaces around them are the same, they then are the same. */
export function sameNodeBytes(one: OffsetIndex, node: ChildNode, other: OffsetIndex, counterpart: ChildNode): boolean {
  return sameBytes(one, node.start, node.end, other, counterpart.start, counterpart.end);
}

function contentOf(index: OffsetIndex, node: ChildNode): string {
  return node.kind === 'text' ? textValue(index, node) : plainContent(index, node);
}

/** Name with prefix, attributes in any order, and namespaces in scope: declarations that change nothing do not count. */
function sameStartTag(one: OffsetIndex, left: ElementId, other: OffsetIndex, right: ElementId): boolean {
  const sameName =
    one.prefix(left) === other.prefix(right) && other.is(right, one.namespace(left), one.localName(left));
  if (!sameName) return false;
  if (
    sameBytes(one, one.outerStart(left), one.openEnd(left), other, other.outerStart(right), other.openEnd(right)) &&
    one.isEmptyTag(left) === other.isEmptyTag(right)
  ) {
    return true;
  }
  if (!sameBindings(one.namespacesInScope(left), other.namespacesInScope(right))) return false;
  const attributes = new Map(one.attributes(left).map((a) => [`${a.prefix}:${a.localName}`, a.value]));
  const others = other.attributes(right);
  return (
    attributes.size === others.length &&
    others.every(({ prefix, localName, value }) => attributes.get(`${prefix}:${localName}`) === value)
  );
}

/** Whether two sets of namespace bindings are the same. */
export function sameBindings(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  if (one === other) return true;
  if (one.size !== other.size) return false;
  for (const [prefix, uri] of one) if (other.get(prefix) !== uri) return false;
  return true;
}
