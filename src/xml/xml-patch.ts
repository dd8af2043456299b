// Applies RFC 5261 patches to documents by splicing: bytes that no operation names stay as they are.
//
// applyPatch(document, operations) answers { patched } or { failure }: operations apply one after another, each to the result of the
// one before it; when one fails, the whole patch has failed and the document is as before. `patched` is well-formed when document and
// carrier came in through readXml; validity is for the caller to judge. Operations come from readPatchOperations or from xml-diff.ts.

import { Refusal } from '../refusals.ts';
import { escapeAttributeValue, UndefinedReference } from './character-data.ts';
import { type ChildNode, childNodes, documentNode, isWhiteSpaceText } from './child-nodes.ts';
import { withDocument } from './libxml.ts';
import { defaultXmlLimits, type XmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import { type AttributeView, type ElementId, OffsetIndex } from './offset-index.ts';
import { NotScannable, XmlLimitExceeded } from './offset-scan.ts';
import { contextOf, declarationOf, readContent, targetPrefix, textOf, writeContent } from './patch-content.ts';
import { PatchFailed, type PatchFailure, type PatchOperation } from './patch-operation.ts';
import { appendEdit, type Edit } from './splice.ts';
import { spliceNodes } from './text-joints.ts';
import { type LocatedNode, locateNode } from './xml-patch-locate.ts';
import { parseAddType, parsePatchSelector, resolvePrefix, splitName } from './xml-patch-selector.ts';

export { type PatchError, type PatchFailure, type PatchOperation, readPatchOperations } from './patch-operation.ts';

export type PatchOutcome = { readonly patched: Uint8Array } | { readonly failure: PatchFailure };

/** What a patch may cost. */
export interface PatchLimits {
  readonly xml: XmlLimits;
  /** Bytes that all operations together may look through; one operation counts the document once, and once more for each predicate. */
  readonly workBytes: number;
}

export const defaultPatchLimits: PatchLimits = { xml: defaultXmlLimits, workBytes: 128 * 1024 * 1024 };

/** Applies operations in order; all or none take effect. Never throws for what a document or an operation contains. */
export function applyPatch(
  document: OffsetIndex,
  operations: readonly PatchOperation[],
  limits: PatchLimits = defaultPatchLimits,
): PatchOutcome {
  let index = document;
  let bytes = document.bytes;
  let work = 0;
  for (const [number, operation] of operations.entries()) {
    try {
      if (number > 0) index = OffsetIndex.of(bytes, limits.xml);
      work += workOf(index, operation);
      if (work > limits.workBytes) throw new PatchFailed('invalid-patch-directive', 'The patch takes too much work');
      bytes = applyOperation(index, operation, limits.xml);
    } catch (error) {
      return { failure: { ...failureOf(error), operation: number } };
    }
  }
  return { patched: bytes };
}

function workOf(index: OffsetIndex, { sel, content }: PatchOperation): number {
  return index.bytes.length * sel.split('[').length + content.length;
}

function failureOf(error: unknown): Omit<PatchFailure, 'operation'> {
  if (error instanceof PatchFailed) return { error: error.error, phrase: error.message };
  if (error instanceof XmlLimitExceeded || error instanceof NotScannable) {
    return { error: 'invalid-patch-directive', phrase: error.message };
  }
  if (error instanceof UndefinedReference) return { error: 'invalid-entity-declaration', phrase: error.message };
  throw error;
}

function applyOperation(index: OffsetIndex, operation: PatchOperation, limits: XmlLimits): Uint8Array {
  const selector = parsePatchSelector(operation.sel, operation.namespaces);
  const isNamespace = selector.terminal?.kind === 'namespace' || operation.type?.startsWith('namespace::') === true;
  // 8: the schema type xpath-add has no attributes and namespaces
  if (
    operation.directive === 'add' &&
    (selector.terminal?.kind === 'attribute' || selector.terminal?.kind === 'namespace')
  ) {
    throw new PatchFailed('invalid-attribute-value', 'Nothing can be added to an attribute or a namespace');
  }
  check(operation.pos, ['before', 'after', 'prepend'], 'pos');
  check(operation.ws, ['before', 'after', 'both'], 'ws');
  const type = operation.type === undefined ? undefined : parseAddType(operation.type);
  const node = locateNode(index, selector);
  const edits = editsOf(index, operation, node, type, limits);
  const bytes = spliceNodes(index, edits);
  if (bytes.length > limits.documentBytes) {
    throw new PatchFailed('invalid-patch-directive', 'The document would become too large');
  }
  if (isNamespace) checkNamespaces(bytes);
  return bytes;
}

function check(value: string | undefined, allowed: readonly string[], name: string): void {
  if (value !== undefined && !allowed.includes(value)) {
    throw new PatchFailed('invalid-attribute-value', `${name} is none of ${allowed.join(', ')}`);
  }
}

/** A changed namespace can make two attributes of one element the same; that is what well-formedness forbids. */
function checkNamespaces(bytes: Uint8Array): void {
  try {
    withDocument(bytes, () => undefined);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new PatchFailed('invalid-namespace-uri', 'The namespace makes the document not well-formed');
  }
}

function editsOf(
  index: OffsetIndex,
  operation: PatchOperation,
  node: LocatedNode,
  type: ReturnType<typeof parseAddType> | undefined,
  limits: XmlLimits,
): readonly Edit[] {
  if (operation.directive === 'replace') return [replacement(index, operation, node, limits)];
  if (operation.directive === 'remove') return removal(index, operation, node);
  if (type === undefined) return [insertion(index, operation, node, limits)];
  if (node.kind !== 'element')
    throw new PatchFailed('invalid-patch-directive', 'Only an element can take what type names');
  if ('attribute' in type) return [newAttribute(index, operation, node.element, type.attribute, limits)];
  return [newNamespace(index, node.element, type.namespace, textOf(readContent(operation, limits)))];
}

/** RFC 5261 4.3: where the children of an `add` go. */
function insertion(index: OffsetIndex, operation: PatchOperation, node: LocatedNode, limits: XmlLimits): Edit {
  const inside = operation.pos === undefined || operation.pos === 'prepend';
  if (inside && node.kind !== 'element') {
    throw new PatchFailed('invalid-patch-directive', 'Only an element can have children');
  }
  const parent = inside && node.kind === 'element' ? node.element : parentOf(index, node);
  const content = readContent(operation, limits);
  if (parent === documentNode) return besideRoot(index, operation, node, content);
  const markup = writeContent(content, content.nodes, contextOf(index, parent), limits.documentBytes);
  if (!inside) {
    const { start, end } = extentOf(index, node);
    return insertAt(operation.pos === 'before' ? start : end, markup);
  }
  const prepended = operation.pos === 'prepend' && !index.isEmptyTag(parent);
  return prepended ? insertAt(index.openEnd(parent), markup) : appendEdit(index, parent, markup);
}

function insertAt(at: number, replacement: Uint8Array | string): Edit {
  return { start: at, end: at, replacement };
}

function parentOf(index: OffsetIndex, node: LocatedNode): ElementId {
  switch (node.kind) {
    case 'element':
      return index.parent(node.element);
    case 'attribute':
    case 'namespace':
      return node.element;
    default:
      return node.parent;
  }
}

function extentOf(index: OffsetIndex, node: LocatedNode): { readonly start: number; readonly end: number } {
  switch (node.kind) {
    case 'element':
      return { start: index.outerStart(node.element), end: index.outerEnd(node.element) };
    case 'attribute':
      return node.attribute;
    case 'namespace':
      return node.declaration;
    default:
      return itself(node);
  }
}

function itself(node: LocatedNode & { readonly siblings: readonly ChildNode[]; readonly number: number }): ChildNode {
  const found = node.siblings[node.number];
  if (found === undefined) throw new RangeError('a located node is among its siblings');
  return found;
}

/** RFC 5261 3: comments and processing instructions may stand beside the document element, nothing else. */
function besideRoot(
  index: OffsetIndex,
  { pos }: PatchOperation,
  node: LocatedNode,
  content: ReturnType<typeof readContent>,
): Edit {
  const pieces: string[] = [];
  for (const added of content.nodes) {
    if (added.kind === 'element') {
      throw new PatchFailed('invalid-root-element-operation', 'The document element can have no sibling element');
    }
    if (added.kind !== 'text') pieces.push(content.index.source(added.start, added.end));
    else if (!isWhiteSpaceText(content.index, added)) {
      throw new PatchFailed('invalid-xml-prolog-operation', 'There is no text beside the document element');
    }
  }
  const { start, end } = extentOf(index, node);
  if (pieces.length === 0) return insertAt(end, '');
  return pos === 'before' ? insertAt(start, `${pieces.join('\n')}\n`) : insertAt(end, `\n${pieces.join('\n')}`);
}

function newAttribute(
  index: OffsetIndex,
  operation: PatchOperation,
  element: ElementId,
  name: string,
  limits: XmlLimits,
): Edit {
  const { prefix, localName } = splitName(name);
  if (prefix === 'xmlns' || name === 'xmlns') {
    throw new PatchFailed('invalid-attribute-value', 'A namespace declaration is no attribute');
  }
  const namespace = prefix === '' ? '' : resolvePrefix(prefix, operation.namespaces);
  if (index.attributeView(element, localName, namespace) !== undefined) {
    throw new PatchFailed('invalid-attribute-value', 'The element already has the attribute');
  }
  const value = textOf(readContent(operation, limits));
  // 4.3.2: the default namespace of the target never serves an attribute
  const chosen = prefix === '' ? '' : targetPrefix(contextOf(index, element), prefix, namespace, 'attribute');
  const qualified = chosen === '' ? localName : `${chosen}:${localName}`;
  return insertAt(attributesEnd(index, element), ` ${qualified}="${escapeAttributeValue(value)}"`);
}

function attributesEnd(index: OffsetIndex, element: ElementId): number {
  let end = index.tagNameEnd(element);
  for (const attribute of index.attributes(element)) end = Math.max(end, attribute.end);
  for (const declaration of index.namespaceDeclarations(element)) end = Math.max(end, declaration.end);
  return end;
}

function newNamespace(index: OffsetIndex, element: ElementId, prefix: string, uri: string): Edit {
  checkBinding(prefix, uri);
  if (index.namespaceDeclarations(element).some((declared) => declared.prefix === prefix)) {
    throw new PatchFailed('invalid-namespace-prefix', 'The element already declares the prefix');
  }
  if (index.namespaceOf(element, prefix) !== uri && isInUse(index, element, prefix)) {
    throw new PatchFailed('invalid-namespace-prefix', 'The prefix is in use for another namespace');
  }
  return insertAt(attributesEnd(index, element), declarationOf(prefix, uri));
}

/** Namespaces in XML 3: what no declaration may say. */
function checkBinding(prefix: string, uri: string): void {
  if (prefix === 'xml' || prefix === 'xmlns') {
    throw new PatchFailed('invalid-namespace-prefix', `The prefix ${prefix} cannot be declared`);
  }
  if (uri === '' || uri === namespaces.xml || uri === namespaces.xmlns) {
    throw new PatchFailed('invalid-namespace-uri', 'The namespace cannot be bound to a prefix');
  }
}

/** Whether names in an element or below take the prefix from what is in scope at that element. */
function isInUse(index: OffsetIndex, element: ElementId, prefix: string): boolean {
  const end = index.outerEnd(element);
  for (let at = element; at < index.count && index.outerStart(at) < end; ) {
    if (at !== element && index.namespaceDeclarations(at).some((declared) => declared.prefix === prefix)) {
      const inner = index.outerEnd(at);
      while (at < index.count && index.outerStart(at) < inner) at++;
      continue;
    }
    if (index.prefix(at) === prefix || index.attributes(at).some((attribute) => attribute.prefix === prefix))
      return true;
    at++;
  }
  return false;
}

/** RFC 5261 4.4. */
function replacement(index: OffsetIndex, operation: PatchOperation, node: LocatedNode, limits: XmlLimits): Edit {
  const content = readContent(operation, limits);
  switch (node.kind) {
    case 'attribute':
      return valueEdit(node.attribute, textOf(content));
    case 'namespace': {
      const uri = textOf(content);
      checkBinding(node.declaration.prefix, uri);
      return valueEdit(node.declaration, uri);
    }
    default: {
      const { start, end } = extentOf(index, node);
      checkSameKind(node.kind, content.nodes);
      const context = contextOf(index, parentOf(index, node));
      return { start, end, replacement: writeContent(content, content.nodes, context, limits.documentBytes) };
    }
  }
}

function valueEdit({ valueStart, valueEnd }: Pick<AttributeView, 'valueStart' | 'valueEnd'>, value: string): Edit {
  return { start: valueStart, end: valueEnd, replacement: escapeAttributeValue(value) };
}

function checkSameKind(kind: ChildNode['kind'], nodes: readonly ChildNode[]): void {
  const [only, second] = nodes;
  // 4.4.6: empty content removes a text node
  const same = second === undefined && (only === undefined ? kind === 'text' : only.kind === kind);
  if (!same) throw new PatchFailed('invalid-node-types', `The content is not one ${kind} node`);
}

/** RFC 5261 4.5. */
function removal(index: OffsetIndex, { ws }: PatchOperation, node: LocatedNode): readonly Edit[] {
  switch (node.kind) {
    case 'attribute':
    case 'namespace':
    case 'text':
      if (ws !== undefined) throw new PatchFailed('invalid-attribute-value', `ws is not for ${node.kind} nodes`);
      break;
    case 'element':
      if (node.element === index.root) {
        throw new PatchFailed('invalid-root-element-operation', 'The document element cannot be removed');
      }
      break;
  }
  const { start, end } = extentOf(index, node);
  if (node.kind === 'attribute') return [tagPartRemoval(index, start, end)];
  if (node.kind === 'namespace') {
    if (isInUse(index, node.element, node.declaration.prefix)) {
      throw new PatchFailed('invalid-namespace-prefix', 'The prefix is still in use');
    }
    return [tagPartRemoval(index, start, end)];
  }
  if (ws === undefined) return [{ start, end, replacement: '' }];
  const siblings = node.kind === 'element' ? childNodes(index, index.parent(node.element)) : node.siblings;
  const number = siblings.findIndex((sibling) => sibling.start === start && sibling.kind === node.kind);
  const before = ws === 'after' ? undefined : whiteSpace(index, siblings[number - 1]);
  const after = ws === 'before' ? undefined : whiteSpace(index, siblings[number + 1]);
  return [{ start: before?.start ?? start, end: after?.end ?? end, replacement: '' }];
}

function tagPartRemoval(index: OffsetIndex, from: number, end: number): Edit {
  let start = from;
  while ([0x20, 0x09, 0x0a, 0x0d].includes(index.bytes[start - 1] ?? 0)) start--;
  return { start, end, replacement: '' };
}

function whiteSpace(index: OffsetIndex, node: ChildNode | undefined): ChildNode {
  if (node !== undefined && isWhiteSpaceText(index, node)) return node;
  throw new PatchFailed('invalid-whitespace-directive', 'There is no white space text next to the node');
}
