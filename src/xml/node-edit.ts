// Creates, replaces, deletes and fetches nodes of a document by splicing its bytes. RFC 4825 clauses 7.3 to 7.10 and 8.2 to 8.4.
// Every edit is tried and the selector evaluated again: what a GET would not give back is refused and changes nothing. Long work in slices.

import { Refusal } from '../refusals.ts';
import { composeNamespaceBindings } from './compose.ts';
import {
  type AttributeFragment,
  type ElementFragment,
  largeBody,
  readAttributeFragment,
  readElementFragment,
  readLargeAttributeFragment,
  readLargeElementFragment,
  type ScanElsewhere,
} from './fragment.ts';
import { expectedStart, findingInsertion, type Insertion } from './insertion.ts';
import type { XmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import {
  encodeBindings,
  encodeSteps,
  type NodeSelector,
  type SelectorName,
  type SelectorStep,
} from './node-selector.ts';
import type { ByteEdit } from './offset-edit.ts';
import type { AttributeView, ElementId, IndexedElementEdit, OffsetIndex } from './offset-index.ts';
import { XmlLimitExceeded } from './offset-scan.ts';
import { type SelectedNode, selectingChild, selectingElement, selectingNode } from './select.ts';
import { attributeRemovalEdit, type Edit, splice } from './splice.ts';
import { atOnce } from './turns.ts';

/** A document after an edit, not yet validated. */
export interface EditedDocument {
  readonly bytes: Uint8Array;
  readonly index: OffsetIndex;
  /** The node did not exist before. */
  readonly created: boolean;
  /** Whether any byte differs. */
  readonly changed: boolean;
  /** What was replaced in the document before. */
  readonly edit: ByteEdit;
}

/** Where a PUT will act; found before its body is looked at (RFC 4825 8.2.1). */
export type PutTarget =
  | {
      readonly kind: 'element';
      /** -1 for the document itself. */
      readonly parent: ElementId;
      readonly existing?: ElementId | undefined;
    }
  | { readonly kind: 'attribute'; readonly element: ElementId; readonly existing?: AttributeView | undefined };

export interface PutOptions {
  readonly limits: XmlLimits;
  /** Accept attribute values without quotes, as older clients send them. */
  readonly bareAttributeValues?: boolean | undefined;
}

/** What a GET of a node answers. */
export interface FetchedNode {
  readonly kind: 'element' | 'attribute' | 'namespaces';
  readonly body: Uint8Array;
}

/** The node that a selector names: an element as it stands, an attribute value with its quotes, or the namespace bindings. Undefined: 404. */
export function fetchNode(index: OffsetIndex, selector: NodeSelector): FetchedNode | undefined {
  return atOnce(fetchingNode(index, selector));
}

/** Nodes that were found, for whoever asks the same document again with the same selector. */
const fetched = new WeakMap<OffsetIndex, WeakMap<NodeSelector, FetchedNode>>();

/** The same in slices, for long lists. */
export function* fetchingNode(index: OffsetIndex, selector: NodeSelector): Generator<void, FetchedNode | undefined> {
  let known = fetched.get(index);
  if (known === undefined) {
    known = new WeakMap();
    fetched.set(index, known);
  }
  let node = known.get(selector);
  if (node === undefined) {
    const selected = yield* selectingNode(index, selector);
    if (selected === undefined) return undefined;
    node = contentOf(index, selected);
    known.set(selector, node);
  }
  return node;
}

function contentOf(index: OffsetIndex, node: SelectedNode): FetchedNode {
  switch (node.kind) {
    case 'element':
      return { kind: 'element', body: index.outerBytes(node.element) };
    case 'attribute':
      return {
        kind: 'attribute',
        body: index.bytes.subarray(node.attribute.valueStart - 1, node.attribute.valueEnd + 1),
      };
    default:
      return { kind: 'namespaces', body: Buffer.from(composeNamespaceBindings(index, node.element)) };
  }
}

/**
 * Finds where a PUT acts. Throws Refusal `no-parent` (its `ancestor` is the encoded node selector of the closest existing element, with
 * the query that binds its prefixes), `cannot-insert` for a target that several elements match, `method-not-allowed` for namespace bindings.
 */
export function locatePut(index: OffsetIndex, selector: NodeSelector): PutTarget {
  return atOnce(locatingPut(index, selector));
}

/** The same in slices, for long lists. */
export function* locatingPut(index: OffsetIndex, selector: NodeSelector): Generator<void, PutTarget> {
  if (selector.terminal?.kind === 'namespaces')
    throw new Refusal('method-not-allowed', { allow: ['GET', 'HEAD', 'OPTIONS'] });
  if (selector.terminal?.kind === 'attribute') {
    const element = yield* findingParent(index, selector, selector.steps);
    const { localName, namespace } = selector.terminal.name;
    return { kind: 'attribute', element, existing: index.attributeView(element, localName, namespace) };
  }
  const before = selector.steps.slice(0, -1);
  const parent = before.length === 0 ? -1 : yield* findingParent(index, selector, before);
  const last = lastStep(selector);
  const outcome =
    parent < 0 ? (yield* selectingElement(index, [last])).outcome : yield* selectingChild(index, parent, last);
  if (outcome === 'several') throw new Refusal('cannot-insert', { phrase: 'The selector matches several elements' });
  return { kind: 'element', parent, existing: outcome === 'none' ? undefined : outcome };
}

function* findingParent(
  index: OffsetIndex,
  selector: NodeSelector,
  steps: readonly SelectorStep[],
): Generator<void, ElementId> {
  const { outcome, matched } = yield* selectingElement(index, steps);
  if (typeof outcome === 'number') return outcome;
  // RFC 4825 11.1: the document element has no parent into which something could be inserted.
  if (matched === 0) throw new Refusal('no-parent');
  const query = encodeBindings(selector, matched);
  const ancestor = encodeSteps(selector, matched) + (query === '' ? '' : `?${query}`);
  throw new Refusal('no-parent', { ancestor });
}

function lastStep(selector: NodeSelector): SelectorStep {
  const last = selector.steps.at(-1);
  if (last === undefined) throw new RangeError('a node selector has at least one step');
  return last;
}

/** The body of a PUT as far as it can be judged without its place among others. */
export type PutContent =
  | { readonly kind: 'element'; readonly fragment: ElementFragment }
  | { readonly kind: 'attribute'; readonly fragment: AttributeFragment };

/**
 * Puts an element or attribute where `locatePut` found its place. Throws Refusal `not-utf-8`, `not-xml-frag`, `not-xml-att-value`,
 * `cannot-insert`, `document-too-large`, `constraint-failure` (limits). The result is still to be validated.
 */
export function putNode(
  index: OffsetIndex,
  selector: NodeSelector,
  target: PutTarget,
  body: Uint8Array,
  options: PutOptions,
): EditedDocument {
  return atOnce(puttingNode(index, selector, target, readPutContent(index, target, body, options), options));
}

function readPutContent(index: OffsetIndex, target: PutTarget, body: Uint8Array, options: PutOptions): PutContent {
  if (target.kind === 'attribute') {
    return { kind: 'attribute', fragment: readAttributeFragment(body, options.bareAttributeValues) };
  }
  return { kind: 'element', fragment: readElementFragment(body, scopeOf(index, target.parent), options.limits) };
}

/** Reads the body of a PUT, a large one with the help of another thread. Rejects with Refusal `not-utf-8`, `not-xml-frag`, `not-xml-att-value`. */
export async function readPutBody(
  index: OffsetIndex,
  target: PutTarget,
  body: Uint8Array,
  options: PutOptions,
  scan: ScanElsewhere,
): Promise<PutContent> {
  if (body.byteLength <= largeBody) return readPutContent(index, target, body, options);
  const { limits, bareAttributeValues } = options;
  if (target.kind === 'attribute') {
    return { kind: 'attribute', fragment: await readLargeAttributeFragment(body, bareAttributeValues, limits, scan) };
  }
  const scope = scopeOf(index, target.parent);
  return { kind: 'element', fragment: await readLargeElementFragment(body, scope, limits, scan) };
}

function scopeOf(index: OffsetIndex, parent: ElementId): ReadonlyMap<string, string> {
  return parent < 0 ? new Map() : index.namespacesInScope(parent);
}

/** Puts what was read where `locatePut` found its place, in slices. Throws as `putNode`. */
export function* puttingNode(
  index: OffsetIndex,
  selector: NodeSelector,
  target: PutTarget,
  content: PutContent,
  options: PutOptions,
): Generator<void, EditedDocument> {
  if (target.kind === 'element' && content.kind === 'element') {
    return yield* puttingElement(index, selector, target, content.fragment, options.limits);
  }
  if (target.kind === 'attribute' && content.kind === 'attribute') {
    return yield* puttingAttribute(index, selector, target, content.fragment, options);
  }
  throw new RangeError('the content is of another kind than the target');
}

function* puttingElement(
  index: OffsetIndex,
  selector: NodeSelector,
  target: PutTarget & { readonly kind: 'element' },
  fragment: ElementFragment,
  limits: XmlLimits,
): Generator<void, EditedDocument> {
  const { parent, existing } = target;
  const edit =
    existing === undefined
      ? yield* findingInsertion(index, parent, lastStep(selector), fragment)
      : { start: index.outerStart(existing), end: index.outerEnd(existing), replacement: fragment.bytes };
  yield;
  const edited = yield* tryElementEdit(index, edit, existing === undefined, limits, { parent, fragment });
  yield;
  const node = yield* selectingNode(edited.index, selector);
  // RFC 4825 8.2.3, 8.2.4: GET(PUT(x)) = x; it also catches a body whose name or attributes the selector does not describe.
  const same = node?.kind === 'element' && Buffer.compare(edited.index.outerBytes(node.element), fragment.bytes) === 0;
  if (!same || edited.index.outerStart(node.element) !== expectedStart(edit)) throw new Refusal('cannot-insert');
  return edited;
}

function* puttingAttribute(
  index: OffsetIndex,
  selector: NodeSelector,
  target: PutTarget & { readonly kind: 'attribute' },
  { quoted }: AttributeFragment,
  options: PutOptions,
): Generator<void, EditedDocument> {
  const terminal = selector.terminal;
  if (terminal?.kind !== 'attribute') throw new RangeError('the selector names no attribute');
  const { existing, element } = target;
  const edit =
    existing === undefined
      ? newAttribute(index, element, terminal.name, quoted, options.limits)
      : { start: existing.valueStart - 1, end: existing.valueEnd + 1, replacement: quoted };
  yield;
  const edited = yield* tryTagEdit(index, edit, existing === undefined, options.limits);
  yield;
  const node = yield* selectingNode(edited.index, selector);
  // RFC 4825 7.7: a changed attribute may take its own element out of the selector's reach.
  const same =
    node?.kind === 'attribute' &&
    node.element === element &&
    Buffer.compare(edited.bytes.subarray(node.attribute.valueStart - 1, node.attribute.valueEnd + 1), quoted) === 0;
  if (!same) throw new Refusal('cannot-insert');
  return edited;
}

/** A new attribute behind the last one of the start tag. Its prefix must be in scope there for the namespace. */
function newAttribute(
  index: OffsetIndex,
  element: ElementId,
  name: SelectorName,
  quoted: Uint8Array,
  limits: XmlLimits,
): Edit {
  const prefix = prefixFor(index, element, name);
  if (prefix === undefined) {
    const phrase = `The element has no prefix in scope for the namespace of ${name.prefix}:${name.localName}`;
    throw new Refusal('cannot-insert', { phrase });
  }
  // Namespaces in XML 3: none can be made this way
  if (prefix === '' && name.localName === 'xmlns') {
    throw new Refusal('cannot-insert', { phrase: 'A namespace declaration is no attribute' });
  }
  const ends = [...index.attributes(element), ...index.namespaceDeclarations(element)].map(({ end }) => end);
  if (ends.length >= limits.attributesPerElement) throw limitRefusal('too many attributes in one element');
  const written = prefix === '' ? name.localName : `${prefix}:${name.localName}`;
  if (Buffer.byteLength(written) > limits.nameLength) throw limitRefusal('a name is too long');
  const at = ends.reduce((last, end) => Math.max(last, end), index.tagNameEnd(element));
  return { start: at, end: at, replacement: Buffer.concat([Buffer.from(` ${written}=`), quoted]) };
}

function prefixFor(index: OffsetIndex, element: ElementId, name: SelectorName): string | undefined {
  if (name.namespace === '') return '';
  if (name.namespace === namespaces.xml) return 'xml';
  const scope = index.namespacesInScope(element);
  if (name.prefix !== '' && scope.get(name.prefix) === name.namespace) return name.prefix;
  for (const [prefix, uri] of scope) if (prefix !== '' && uri === name.namespace) return prefix;
  return undefined;
}

/**
 * Deletes an element or attribute; white space around it stays. Throws Refusal `not-found`, `cannot-delete` when the selector would
 * then name another element, `method-not-allowed` for namespace bindings, `schema-validation-error` for the document element.
 */
export function deleteNode(index: OffsetIndex, selector: NodeSelector, limits: XmlLimits): EditedDocument {
  return atOnce(deletingNode(index, selector, limits));
}

/** The same in slices, for long lists. */
export function* deletingNode(
  index: OffsetIndex,
  selector: NodeSelector,
  limits: XmlLimits,
): Generator<void, EditedDocument> {
  if (selector.terminal?.kind === 'namespaces')
    throw new Refusal('method-not-allowed', { allow: ['GET', 'HEAD', 'OPTIONS'] });
  const node = yield* selectingNode(index, selector);
  if (node === undefined) throw new Refusal('not-found');
  yield;
  if (node.kind === 'attribute') {
    return yield* tryTagEdit(index, attributeRemovalEdit(index, node.attribute), false, limits);
  }
  if (node.element === index.root) {
    throw new Refusal('schema-validation-error', { phrase: 'A document keeps its document element' });
  }
  const edit = { start: index.outerStart(node.element), end: index.outerEnd(node.element), replacement: '' };
  const edited = yield* tryElementEdit(index, edit, false, limits, { parent: index.parent(node.element) });
  // RFC 4825 8.4: after the deletion the same URI must match nothing, or repeating it would delete more.
  yield;
  const { outcome } = yield* selectingElement(edited.index, selector.steps);
  if (outcome !== 'none') throw new Refusal('cannot-delete');
  return edited;
}

function* tryTagEdit(
  index: OffsetIndex,
  edit: Edit,
  created: boolean,
  limits: XmlLimits,
): Generator<void, EditedDocument> {
  const { bytes, range, changed } = applied(index, edit, limits);
  yield;
  return { bytes, index: index.afterTagEdit(bytes, range), created, changed: created || changed, edit: range };
}

function* tryElementEdit(
  index: OffsetIndex,
  edit: Insertion,
  created: boolean,
  limits: XmlLimits,
  { parent, fragment }: { readonly parent: ElementId; readonly fragment?: ElementFragment },
): Generator<void, EditedDocument> {
  const { bytes, range, changed } = applied(index, edit, limits);
  // A large allocation may make V8 collect garbage for milliseconds: the bytes and their index are two
  yield;
  const elementEdit: IndexedElementEdit = {
    ...range,
    parent,
    inserted: fragment?.index,
    insertedAt: expectedStart(edit),
    opens: edit.opened === undefined ? undefined : fragment?.bytes.byteLength,
  };
  try {
    const edited = index.afterElementEdit(bytes, elementEdit, limits);
    return { bytes, index: edited, created, changed: created || changed, edit: range };
  } catch (error) {
    if (error instanceof XmlLimitExceeded) throw limitRefusal(error.message);
    throw error;
  }
}

function applied(
  index: OffsetIndex,
  edit: Edit,
  limits: XmlLimits,
): { readonly bytes: Uint8Array; readonly range: ByteEdit; readonly changed: boolean } {
  const { start, end, replacement } = edit;
  const length = Buffer.byteLength(replacement);
  if (index.bytes.byteLength + length - (end - start) > limits.documentBytes) throw new Refusal('document-too-large');
  const bytes = splice(index.bytes, [edit]);
  const same =
    length === end - start && Buffer.compare(bytes.subarray(start, end), index.bytes.subarray(start, end)) === 0;
  return { bytes, range: { start, end, length }, changed: !same };
}

function limitRefusal(phrase: string): Refusal {
  return new Refusal('constraint-failure', { phrase });
}
