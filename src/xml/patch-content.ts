// The content of a patch operation, and how it is written into the target document: elements and attributes are re-prefixed
// for the namespaces in scope where they land, everything else is copied as it stands (RFC 5261 4.2.3).

import { Refusal } from '../refusals.ts';
import { escapeAttributeValue, UndefinedReference } from './character-data.ts';
import { type ChildNode, childNodes, textValue } from './child-nodes.ts';
import { withDocument } from './libxml.ts';
import type { XmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import { type ElementId, OffsetIndex } from './offset-index.ts';
import { NotScannable, XmlLimitExceeded } from './offset-scan.ts';
import { PatchFailed, type PatchOperation } from './patch-operation.ts';
import { type Edit, inOrder, splice } from './splice.ts';

/** Parsed content: the nodes inside an operation element, in an index of their own. */
export interface PatchContent {
  readonly index: OffsetIndex;
  readonly nodes: readonly ChildNode[];
}

/** Where content lands: namespaces in scope at the evaluation context node and its own name; all empty for the document. */
export interface PatchContext {
  readonly scope: ReadonlyMap<string, string>;
  readonly prefix: string;
  readonly namespace: string;
}

const plainText = /^[\t\n\x20-\x25\x27-\x3b\x3d-\x5c\x5e-\x7e]*$/;

/**
 * Parses the content of an operation with the namespaces of its element. Throws PatchFailed `invalid-diff-format`,
 * `invalid-entity-declaration`.
 */
export function readContent(operation: PatchOperation, limits: XmlLimits): PatchContent {
  const { content } = operation;
  const scoped = content.includes('<') ? operation.namespaces : new Map<string, string>();
  const declarations = [...scoped].map(([prefix, uri]) => declarationOf(prefix, uri));
  const bytes = Buffer.from(`<op${declarations.join('')}>${content}</op>`);
  try {
    if (!plainText.test(content)) withDocument(bytes, () => undefined);
    const index = OffsetIndex.of(bytes, contentLimits(limits, scoped.size));
    return { index, nodes: childNodes(index, index.root) };
  } catch (error) {
    if (error instanceof Refusal && /entity/i.test(error.message)) {
      throw new PatchFailed('invalid-entity-declaration', 'The content refers to an entity that is not declared');
    }
    const known = error instanceof Refusal || error instanceof XmlLimitExceeded || error instanceof NotScannable;
    if (!known && !(error instanceof UndefinedReference)) throw error;
    throw new PatchFailed('invalid-diff-format', `The content is not acceptable: ${error.message}`);
  }
}

/** The wrapper around the content must not count against the limits. */
function contentLimits(limits: XmlLimits, declarations: number): XmlLimits {
  return {
    ...limits,
    elementDepth: limits.elementDepth + 1,
    elements: limits.elements + 1,
    attributesPerElement: limits.attributesPerElement + declarations,
    namespacesInScope: limits.namespacesInScope + declarations,
  };
}

/** A namespace declaration with a space before it; the prefix '' declares the default namespace. */
export function declarationOf(prefix: string, uri: string): string {
  return ` xmlns${prefix === '' ? '' : `:${prefix}`}="${escapeAttributeValue(uri)}"`;
}

/** The evaluation context of what lands in an element, or in the document. */
export function contextOf(index: OffsetIndex, parent: ElementId): PatchContext {
  if (parent < 0) return { scope: new Map(), prefix: '', namespace: '' };
  return { scope: index.namespacesInScope(parent), prefix: index.prefix(parent), namespace: index.namespace(parent) };
}

/** The value of content that must be text: of a new attribute, say. Throws PatchFailed `invalid-attribute-value`, also for CDATA (5.1). */
export function textOf({ index, nodes }: PatchContent): string {
  const [node, second] = nodes;
  if (node === undefined) return '';
  const text = node.kind === 'text' && second === undefined && !index.source(node.start, node.end).includes('<');
  if (!text) throw new PatchFailed('invalid-attribute-value', 'The content is not a single text');
  return textValue(index, node);
}

/**
 * Prefix in the target for a name that the diff writes with `prefix`. `inner` are prefixes that the content itself declares around
 * the name. Throws PatchFailed `invalid-namespace-uri` when the target declares no prefix for the namespace.
 */
export function targetPrefix(
  context: PatchContext,
  prefix: string,
  namespace: string,
  kind: 'element' | 'attribute',
  inner: InnerScope = noInnerScope,
): string {
  if (prefix === 'xml' || inner.lookup(prefix) !== undefined) return prefix;
  const serves = (candidate: string): boolean =>
    (kind === 'element' || candidate !== '') && (inner.lookup(candidate) ?? context.scope.get(candidate)) === namespace;
  // An unqualified element needs a place without default namespace.
  if (namespace === '') {
    if ((inner.lookup('') ?? context.scope.get('') ?? '') === '') return '';
    throw new PatchFailed('invalid-namespace-uri', 'The target has a default namespace, the new element has none');
  }
  if (serves(prefix)) return prefix;
  if (context.namespace === namespace && serves(context.prefix)) return context.prefix;
  const candidates = new Set([...context.scope.keys(), ...inner.prefixes()]);
  let first: string | undefined;
  let closest: string | undefined;
  for (const candidate of candidates) {
    if (!serves(candidate)) continue;
    if (first === undefined || candidate < first) first = candidate;
    if (candidate < prefix && (closest === undefined || candidate > closest)) closest = candidate;
  }
  const chosen = closest ?? first;
  if (chosen !== undefined) return chosen;
  throw new PatchFailed('invalid-namespace-uri', `The target declares no prefix for ${namespace}`);
}

/** Declarations made by the content around a name. */
interface InnerScope {
  lookup(prefix: string): string | undefined;
  prefixes(): Iterable<string>;
}

const noInnerScope: InnerScope = { lookup: () => undefined, prefixes: () => [] };

class ContentScope implements InnerScope {
  readonly #levels: { readonly end: number; readonly declared: ReadonlyMap<string, string> }[] = [];

  /** Moves to an element of the content: leaves what has ended, enters its declarations. */
  enter(index: OffsetIndex, element: ElementId): void {
    const start = index.outerStart(element);
    while (this.#levels.length > 0 && (this.#levels.at(-1)?.end ?? 0) <= start) this.#levels.pop();
    const declared = index.namespaceDeclarations(element);
    if (declared.length === 0) return;
    const level = { end: index.outerEnd(element), declared: new Map(declared.map(({ prefix, uri }) => [prefix, uri])) };
    this.#levels.push(level);
  }

  get isEmpty(): boolean {
    return this.#levels.length === 0;
  }

  lookup(prefix: string): string | undefined {
    for (let level = this.#levels.length - 1; level >= 0; level--) {
      const uri = this.#levels[level]?.declared.get(prefix);
      if (uri !== undefined) return uri;
    }
    return undefined;
  }

  *prefixes(): Iterable<string> {
    for (const { declared } of this.#levels) yield* declared.keys();
  }
}

/**
 * Markup of content nodes as the target needs it. Throws PatchFailed `invalid-namespace-uri`, or `invalid-patch-directive` when longer
 * prefixes make it outgrow `longest` bytes.
 */
export function writeContent(
  content: PatchContent,
  nodes: readonly ChildNode[],
  context: PatchContext,
  longest: number,
): Uint8Array {
  const { index } = content;
  const [first] = nodes;
  const last = nodes.at(-1);
  if (first === undefined || last === undefined) return new Uint8Array();
  const edits: Edit[] = [];
  const scope = new ContentScope();
  let size = last.end - first.start;
  const rename = (start: number, from: string, to: string): void => {
    if (from === to) return;
    const end = start + (from === '' ? 0 : Buffer.byteLength(from) + 1);
    const replacement = to === '' ? '' : `${to}:`;
    size += replacement.length;
    if (size > longest) throw new PatchFailed('invalid-patch-directive', 'The document would become too large');
    edits.push({ start: start - first.start, end: end - first.start, replacement });
  };
  const memory = new Map<string, string>();
  const choose = (prefix: string, namespace: string, kind: 'element' | 'attribute'): string => {
    if (!scope.isEmpty) return targetPrefix(context, prefix, namespace, kind, scope);
    const key = `${kind} ${prefix} ${namespace}`;
    const known = memory.get(key) ?? targetPrefix(context, prefix, namespace, kind);
    memory.set(key, known);
    return known;
  };
  for (const node of nodes) {
    if (node.kind !== 'element') continue;
    for (let at = node.element; at < index.count && index.outerStart(at) < node.end; at++) {
      scope.enter(index, at);
      const prefix = index.prefix(at);
      const chosen = choose(prefix, index.namespace(at), 'element');
      rename(index.outerStart(at) + 1, prefix, chosen);
      for (const attribute of index.attributes(at)) {
        if (attribute.prefix === '' || attribute.namespace === namespaces.xml) continue;
        rename(attribute.start, attribute.prefix, choose(attribute.prefix, attribute.namespace, 'attribute'));
      }
      if (!index.isEmptyTag(at)) rename(index.closeStart(at) + 2, prefix, chosen);
    }
  }
  return splice(index.bytes.subarray(first.start, last.end), inOrder(edits));
}
